import { createInterface } from 'node:readline/promises'

/** Asks on stderr, since stdout is for data. Anything but y or yes, the end of input, and Ctrl-C mean no. */
export async function askYesNo(
  question: string,
  input: NodeJS.ReadableStream,
  output: NodeJS.WritableStream,
  signal: AbortSignal,
): Promise<boolean> {
  const reader = createInterface({ input, output })
  const closed = new Promise<string>((resolve) => reader.once('close', () => resolve('')))
  // In raw mode the terminal gives Ctrl-C to the reader, not to the process.
  reader.once('SIGINT', () => reader.close())
  try {
    const answer = await Promise.race([reader.question(`${question} [y/N] `, { signal }).catch(() => ''), closed])
    return /^y(es)?$/i.test(answer.trim())
  } finally {
    reader.close()
  }
}
