/** Argv of the 1Password CLI 2 for an item that is made; what is in it comes on standard input, and stands in no argument. */
import type { Command } from '../types.ts'

/** `op item create` reads a JSON template from standard input when it is given `-`. */
export const createItemArgs = (vault: string): Command => ({
  tool: 'op',
  args: ['item', 'create', '--vault', vault, '--format', 'json', '-'],
})

/** The whole item with its secrets, as JSON: for a pipe only. */
export const getItemArgs = (vault: string, item: string): Command => ({
  tool: 'op',
  args: ['item', 'get', item, '--vault', vault, '--format', 'json'],
})

/** Replaces the item by the one that comes on standard input; prints it with its secrets concealed. */
export const editItemArgs = (vault: string, item: string): Command => ({
  tool: 'op',
  args: ['item', 'edit', item, '--vault', vault],
})

/** This program as the filter between them. */
export const renewFieldArgs = (field: string): Command => ({ tool: 'k8sops', args: ['secrets', 'renew-field', field] })

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
