import { createInterface } from 'node:readline/promises'
import { InterruptedError } from '../errors.ts'

/** Asks on stderr, since stdout is for data. Anything but y or yes, the end of input, and Ctrl-C mean no. */
export async function askYesNo(
  question: string,
  input: NodeJS.ReadableStream,
  output: NodeJS.WritableStream,
  signal: AbortSignal,
): Promise<boolean> {
  return /^y(es)?$/i.test(await askLine(`${question} [y/N]`, input, output, signal))
}

/** What is typed, without spaces around; empty at the end of input and after Ctrl-C. */
export async function askLine(
  question: string,
  input: NodeJS.ReadableStream,
  output: NodeJS.WritableStream,
  signal: AbortSignal,
): Promise<string> {
  const reader = createInterface({ input, output })
  const closed = new Promise<string>((resolve) => reader.once('close', () => resolve('')))
  // In raw mode the terminal gives Ctrl-C to the reader, not to the process.
  reader.once('SIGINT', () => reader.close())
  try {
    const answer = await Promise.race([reader.question(`${question} `, { signal }).catch(() => ''), closed])
    return answer.trim()
  } finally {
    reader.close()
  }
}

/** One question after another on a terminal. */
export interface Questions {
  /**
   * @returns what is typed, without spaces around; undefined at the end of input
   * @throws InterruptedError on Ctrl-C
   */
  ask: (question: string) => Promise<string | undefined>
  close: () => void
}

/** Asks on stderr. One reader for all of them: what is typed ahead belongs to the next question. */
export function openQuestions(
  input: NodeJS.ReadableStream,
  output: NodeJS.WritableStream,
  signal: AbortSignal,
): Questions {
  const reader = createInterface({ input, output })
  const lines = reader[Symbol.asyncIterator]()
  let [interrupted, ended] = [false, false]
  const stop = () => {
    interrupted = true
    reader.close()
  }
  reader.once('SIGINT', stop)
  reader.once('close', () => {
    ended = true
  })
  signal.addEventListener('abort', stop, { once: true })
  return {
    ask: async (question) => {
      reader.setPrompt(`${question} `)
      // What was typed ahead is still there when the input has ended.
      if (!ended) reader.prompt()
      const { value, done } = await lines.next()
      if (interrupted) throw new InterruptedError('interrupted; nothing was written')
      return done ? undefined : String(value).trim()
    },
    close: () => {
      signal.removeEventListener('abort', stop)
      reader.close()
    },
  }
}
