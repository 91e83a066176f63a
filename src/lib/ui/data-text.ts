/** What a read command returned, in the format of -o. */
import type { Column, Data } from '../cli/define.ts'
import type { Json } from '../types.ts'
import { renderTable } from './table.ts'

export type OutputFormat = 'table' | 'wide' | 'json' | 'yaml' | 'name'

/** @param maxWidth of the terminal, when there is one */
export async function renderData(data: Data, format: OutputFormat, maxWidth?: number): Promise<string> {
  if (format === 'json') return JSON.stringify(asDocument(data), null, 2)
  if (format === 'yaml') return (await import('yaml')).stringify(asDocument(data)).trimEnd()
  if (format === 'name') return (data.items ?? []).map((item) => nameOf(item, data.columns)).join('\n')
  if (data.text !== undefined) return data.text
  const columns = (data.columns ?? defaultColumns(data)).filter((column) => format === 'wide' || !column.wide)
  const items = data.items ?? []
  if (items.length === 0) return 'nothing found'
  return renderTable(
    columns.map(({ title }) => title),
    items.map((item) => columns.map((column) => column.value(item))),
    format === 'wide' ? undefined : maxWidth,
  )
}

/** The stable form that programs read. */
export function asDocument(data: Data): { [key: string]: Json } {
  return {
    apiVersion: 'k8sops.dev/v1',
    kind: data.kind,
    ...data.fields,
    ...(data.items ? { items: data.items } : {}),
  }
}

function nameOf(item: { [key: string]: Json }, columns: Column[] | undefined): string {
  const name = item.name ?? item.id
  return name === undefined ? (columns?.[0]?.value(item) ?? '') : String(name)
}

function defaultColumns(data: Data): Column[] {
  const keys = Object.keys(data.items?.[0] ?? {})
  return keys.map((key) => ({ title: key, value: (row) => String(row[key] ?? '') }))
}
