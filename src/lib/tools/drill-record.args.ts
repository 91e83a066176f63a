/** Where the results of restore drills are kept: a ConfigMap of the cluster, with a key for each backup. Argv of kubectl 1.35 for it. */
import type { Command } from '../types.ts'

export const drillRecords = { namespace: 'flux-system', name: 'k8sops-drills' } as const

/** On a namespace that is thrown away: label, and by which drill. */
export const drillKeys = { label: 'k8sops.dev/drill', by: 'k8sops.dev/drill-by' } as const

/** Who drills by a schedule, and what it may do in the namespaces that it makes (kubernetes/infrastructure/controllers/flux-system/backup-verify). */
export const driller = {
  account: { kind: 'ServiceAccount', namespace: 'flux-system', name: 'backup-verify' },
  role: 'backup-verify-drill',
} as const

/** What is made in the namespace of a drill is called so. */
export const drillName = 'drill'

/** `business/odoo` as a key of the ConfigMap. */
export const recordKey = (app: string): string => app.replace('/', '.')

/** Applies what comes on stdin; each key has a manager of its own, so that one drill leaves the others' results alone. */
export const applyRecordArgs = (context: string, app: string): Command => ({
  tool: 'kubectl',
  args: [
    '--context',
    context,
    '-n',
    drillRecords.namespace,
    'apply',
    '--server-side',
    '--field-manager',
    `k8sops-drill.${recordKey(app)}`.slice(0, 128),
    '-f',
    '-',
  ],
})

export const getNamespaceArgs = (context: string, name: string): Command => ({
  tool: 'kubectl',
  args: ['--context', context, 'get', 'namespace', name, '-o', 'json'],
})

/** Without a namespace of its own: a Namespace among what comes on stdin has none. */
export const applyAllArgs = (context: string): Command => ({
  tool: 'kubectl',
  args: ['--context', context, 'apply', '--server-side', '--field-manager', 'k8sops', '-f', '-'],
})

/** With everything in it. */
export const deleteNamespaceArgs = (context: string, name: string): Command => ({
  tool: 'kubectl',
  args: ['--context', context, 'delete', 'namespace', name, '--ignore-not-found', '--wait=false'],
})

/** What the result of a drill is read from. */
export const getDrillArgs = (context: string, namespace: string): Command => ({
  tool: 'kubectl',
  args: [
    '--context',
    context,
    '-n',
    namespace,
    'get',
    'replicationdestinations.volsync.backube,pods,jobs.batch',
    '--ignore-not-found',
    '-o',
    'json',
  ],
})
