import { createInterface } from 'node:readline/promises'

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
