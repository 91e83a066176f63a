/** k8sops itself as a filter in a pipeline, where a shell would need a script. */
import type { Command } from '../types.ts'

/** What Flux would apply for one Kustomization (`namespace/name`), with the cluster's variables in it. */
export function renderKustomizationArgs(cluster: string, kustomization: string): Command {
  return { tool: 'k8sops', args: ['repo', 'render', '--cluster', cluster, kustomization] }
}

/** Passes on only the documents of one kind. */
export function selectKindArgs(kind: string): Command {
  return { tool: 'k8sops', args: ['yaml', 'select', '--kind', kind] }
}

/** Puts the kubeconfig that comes on stdin into the operator's own file, under the context's name. */
export function mergeKubeconfigArgs(context: string): Command {
  return { tool: 'k8sops', args: ['kubeconfig', 'merge', '--context', context] }
}

/** Keeps the encrypted file that comes on stdin: whole or not at all, and never over an old one. */
export function storeEncryptedArgs(file: string): Command {
  return { tool: 'k8sops', args: ['sops', 'store', file] }
}

/**
 * Puts the etcd snapshot that the command before it made where snapshots are kept, with its digest beside it.
 * @param file as talosctl wrote it
 * @param destination absolute path
 */
export function keepSnapshotArgs(file: string, destination: string, keep: number): Command {
  return { tool: 'k8sops', args: ['talos', 'etcd', 'keep', file, destination, '--keep', String(keep)] }
}

/** Edits a talconfig.yaml, its comments kept. @param words of `k8sops talos talconfig`, e.g. `remove apps-w3` */
export function editTalconfigArgs(file: string, words: string[]): Command {
  return { tool: 'k8sops', args: ['talos', 'talconfig', ...words, '--file', file] }
}

/** POSTs what comes on stdin to Alertmanager; kubectl 1.35 can't say that it is JSON, and Alertmanager takes nothing else. */
export function silencePostArgs(context: string, path: string): Command {
  return { tool: 'k8sops', args: ['alerts', 'silence-post', '--context', context, path] }
}

/** The body of a silence, for Alertmanager's API; it begins when it is made. */
export function silenceBodyArgs(silence: { matchers: string[]; by: string; comment: string; until: string }): Command {
  const { matchers, by, comment, until } = silence
  const flags = ['--by', by, '--comment', comment, '--until', until]
  return { tool: 'k8sops', args: ['alerts', 'silence-body', ...flags, ...matchers] }
}

/** Puts a check on a commit at GitHub; the token is taken from the environment. */
export function postCheckArgs(check: {
  repository: string
  commit: string
  id: string
  title: string
  summary: string
}): Command {
  const { repository, commit, id, title, summary } = check
  const flags = ['--repository', repository, '--id', id, '--title', title, '--summary', summary]
  return { tool: 'k8sops', args: ['rollout', 'check-post', commit, ...flags] }
}

/** Prints a text, and the time where it says `@now@`: a plan can't know when a step of it will be reached. */
export const stampArgs = (text: string): Command => ({ tool: 'k8sops', args: ['rollout', 'stamp', text] })

export interface RestoreChoice {
  /** The newest snapshot that is not younger (RFC 3339); the newest of all without it. */
  at?: string
  /** So many before that one. */
  previous: number
}

/**
 * Makes the ReplicationDestination that writes into a volume out of the ReplicationSource that comes on stdin.
 * @param elsewhere its namespace, and the Secret of the repository there; otherwise as the source has them
 */
export function destinationArgs(
  name: string,
  token: string,
  { at, previous }: RestoreChoice,
  elsewhere?: { namespace: string; name: string },
): Command {
  const flags = [
    ...(at === undefined ? [] : ['--at', at]),
    ...(previous > 0 ? ['--previous', String(previous)] : []),
    ...(elsewhere ? ['--to', elsewhere.namespace, '--repository', elsewhere.name] : []),
  ]
  return { tool: 'k8sops', args: ['volsync', 'destination', name, '--token', token, ...flags] }
}

/** A Secret or a claim that comes on stdin, as a new one of that name and namespace. */
export const copyArgs = ({ namespace, name }: { namespace: string; name: string }): Command => ({
  tool: 'k8sops',
  args: ['volsync', 'copy', name, '--to', namespace],
})

/** Makes a Backup out of the ScheduledBackup that comes on stdin. */
export const backupNowArgs = (name: string): Command => ({ tool: 'k8sops', args: ['cnpg', 'backup-now', name] })

/** Out of the manifests on stdin, the database of that name as one that is recovered from its archive. */
export const beginningArgs = (
  { namespace, name }: { namespace: string; name: string },
  { token, from, archive, at }: { token: string; from: string; archive: string; at?: string },
): Command => {
  const flags = ['--token', token, '--from', from, '--archive', archive, ...(at === undefined ? [] : ['--at', at])]
  return { tool: 'k8sops', args: ['cnpg', 'beginning', `${namespace}/${name}`, ...flags] }
}

/** Makes the Cluster that is recovered beside a database out of the one that comes on stdin. */
export const rehearsalArgs = ({
  token,
  from,
  archive,
  at,
}: {
  token: string
  from: string
  archive: string
  at?: string
}): Command => ({
  tool: 'k8sops',
  args: [
    'cnpg',
    'rehearsal',
    '--token',
    token,
    '--from',
    from,
    '--archive',
    archive,
    ...(at === undefined ? [] : ['--at', at]),
  ],
})

/** Makes the Cluster of that name out of the one that was recovered beside it, which comes on stdin. */
export const successorArgs = (name: string): Command => ({ tool: 'k8sops', args: ['cnpg', 'successor', name] })

/** Makes a drill's namespace, and what every one has, out of the namespace of the backup that comes on stdin. */
export const drillNamespaceArgs = (namespace: string, token: string, storage: string): Command => ({
  tool: 'k8sops',
  args: ['backup', 'drill-namespace', namespace, '--token', token, '--storage', storage],
})

/** Makes what is started on a restored volume out of the workload that comes on stdin. */
export const drillAppArgs = ({
  namespace,
  claim,
  check,
}: {
  namespace: string
  claim: string
  check?: string
}): Command => ({
  tool: 'k8sops',
  args: [
    'backup',
    'drill-app',
    '--to',
    namespace,
    '--claim',
    claim,
    ...(check === undefined ? [] : ['--check', check]),
  ],
})

/** Makes the record of a drill out of the List of what is in its namespace, which comes on stdin. */
export function drillRecordArgs(drill: {
  app: string
  token: string
  at: string
  limits: { restoreSec: number; readySec: number }
  newest?: { snapshot: string; bytes: number }
}): Command {
  const { app, token, at, limits, newest } = drill
  const flags = [
    '--token',
    token,
    '--at',
    at,
    '--restore-sec',
    String(limits.restoreSec),
    '--ready-sec',
    String(limits.readySec),
    ...(newest ? ['--snapshot', newest.snapshot, '--bytes', String(newest.bytes)] : []),
  ]
  return { tool: 'k8sops', args: ['backup', 'drill-record', app, ...flags] }
}

/** Makes the record of a recovery out of the Clusters that come on stdin. @param at when it began (RFC 3339) */
export const recoveryRecordArgs = (name: string, at: string): Command => ({
  tool: 'k8sops',
  args: ['cnpg', 'recovery-record', name, '--at', at],
})
