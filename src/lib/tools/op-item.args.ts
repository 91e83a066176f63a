/** Argv of the 1Password CLI 2 for an item that is made; what is in it comes on standard input, and stands in no argument. */
import type { Command } from '../types.ts'

/** `op item create` reads a JSON template from standard input when it is given `-`. */
export const createItemArgs = (vault: string): Command => ({
  tool: 'op',
  args: ['item', 'create', '--vault', vault, '--format', 'json', '-'],
})

/** An item with one concealed field, as that template (1Password CLI 2, `op item template get`). */
export const itemTemplate = (title: string, field: string, value: string, notes: string): string =>
  JSON.stringify({
    title,
    category: 'SECURE_NOTE',
    fields: [
      { id: 'notesPlain', type: 'STRING', purpose: 'NOTES', label: 'notesPlain', value: notes },
      { id: field, type: 'CONCEALED', label: field, value },
    ],
  })
