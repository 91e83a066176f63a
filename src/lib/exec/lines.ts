import { StringDecoder } from 'node:string_decoder'

/** A line longer than this is passed on in parts (a progress bar without newlines must not grow for ever). */
const longestLine = 1024 * 1024

/** Cuts a stream of bytes into lines; `\r` (progress bars) ends one too. Call `end` for the last, unfinished line. */
export function splitLines(onLine: (line: string) => void): { push: (chunk: Buffer) => void; end: () => void } {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  const take = (text: string) => {
    rest += text
    const parts = rest.split(/\r?\n|\r(?!$)/)
    rest = parts.pop() ?? ''
    for (const part of parts) if (part !== '') onLine(part)
    if (rest.length > longestLine) {
      onLine(rest)
      rest = ''
    }
  }
  return {
    push: (chunk) => take(decoder.write(chunk)),
    end: () => {
      take(decoder.end())
      if (rest.trim() !== '') onLine(rest.replace(/\r$/, ''))
      rest = ''
    },
  }
}
