/** Argv of kubectl 1.35 for the rollout's record: a ConfigMap whose `token` every write tests and changes, in one request. */
import type { Command } from '../types.ts'
import { fieldManager, type HoldNote, holdKeys } from './kubectl-hold.args.ts'

export interface RecordPlace {
  context: string
  namespace: string
  name: string
}

/** The token of a record that nobody has written yet. */
export const firstToken = 'none'

const kubectl = ({ context, namespace }: RecordPlace, args: string[]): Command => ({
  tool: 'kubectl',
  args: ['--context', context, '-n', namespace, ...args],
})

export const createRecordArgs = (place: RecordPlace): Command =>
  kubectl(place, [
    'create',
    'configmap',
    place.name,
    `--from-literal=token=${firstToken}`,
    '--field-manager',
    fieldManager,
  ])

/** A JSON patch that the API server refuses as a whole unless `before` is the token that stands there. */
export const recordPatch = (before: string, token: string, record: string): string =>
  JSON.stringify([
    { op: 'test', path: '/data/token', value: before },
    { op: 'replace', path: '/data/token', value: token },
    { op: 'add', path: '/data/record', value: record },
  ])

/**
 * In the arguments: kubectl opens a patch file by its name, and the standard input that it gets from us is a socket, which has none.
 * @param patch of `recordPatch`
 */
export const patchRecordArgs = (place: RecordPlace, patch: string): Command =>
  kubectl(place, ['patch', 'configmap', place.name, ...patchFlags('json'), '-p', patch])

/** @param note null takes it away */
export function holdRecordArgs(place: RecordPlace, note: HoldNote | null): Command {
  const annotations = Object.fromEntries(
    Object.entries(holdKeys).map(([name, key]) => [key, note?.[name as keyof HoldNote] ?? null]),
  )
  return kubectl(place, [
    'patch',
    'configmap',
    place.name,
    ...patchFlags('merge'),
    '-p',
    JSON.stringify({ metadata: { annotations } }),
  ])
}

const patchFlags = (type: string) => ['--type', type, '--field-manager', fieldManager]
