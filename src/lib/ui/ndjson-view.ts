import type { View } from './view.ts'

/** Progress for programs: each event as one line of JSON. */
export function createNdjsonView(write: (line: string) => void): View {
  return { onEvent: (event) => write(JSON.stringify(event)), close: async () => {} }
}
