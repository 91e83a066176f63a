/**
 * Jobs that ask Ceph, or have it do something: nothing has to be executed in a running pod, and what they find out stands on objects. The pods are
 * those of Rook's own toolbox-job.yaml and osd-purge.yaml (v1.19.4, deploy/examples); argv of kubectl 1.35 and of k8sops as a filter for them.
 */
import type { Command } from '../types.ts'
import { fieldManager } from './kubectl-hold.args.ts'

/**
 * `ask`: may the OSD stop, and how large is it; `drain`: take it out, until Ceph says that it is safe to destroy; `purge`: Rook's own removal, once
 * it is down; `gone`: Ceph has no such OSD; `back`: into the map again; `settle`: until every placement group is whole.
 */
export const cephJobVerbs = ['ask', 'drain', 'purge', 'gone', 'back', 'settle'] as const
export type CephJobVerb = (typeof cephJobVerbs)[number]

export const cephJobKeys = {
  /** Label: what it is about, `osd-3`, `expand`. */
  subject: 'k8sops.dev/ceph',
  /** Label: one of the verbs. */
  verb: 'k8sops.dev/ceph-job',
  /** Annotation: id of the operation. */
  by: 'k8sops.dev/ceph-by',
} as const

export interface CephJob {
  namespace: string
  subject: string
  verb: CephJobVerb
  /** Id of the operation, `ceph.osd.remove/20261130T110000Z-00ff`. */
  token: string
  /** Number of the OSD that it is about; none for `settle`. */
  osd?: string
}

export const osdSubject = (osd: string): string => `osd-${osd}`

/** Another one for each operation: the pod of a Job can't be changed. */
export const cephJobName = ({ subject, verb, token }: CephJob): string =>
  `k8sops-${subject}-${verb}-${token.split('-').at(-1)}`

/** Makes the Job out of the operator's Deployment on stdin: its image is the pinned Rook, and has Ceph's own client in it. */
export const cephJobArgs = ({ namespace, subject, verb, token, osd }: CephJob): Command => ({
  tool: 'k8sops',
  args: [
    'ceph',
    'job',
    verb,
    '--namespace',
    namespace,
    '--subject',
    subject,
    '--token',
    token,
    ...(osd === undefined ? [] : ['--osd', osd]),
  ],
})

const kubectl = (context: string, namespace: string, args: string[]): Command => ({
  tool: 'kubectl',
  args: ['--context', context, '-n', namespace, ...args],
})

/** With their pods: one that still drains would take its OSD out once more. */
const deleteArgs = (context: string, namespace: string, which: string[]): Command =>
  kubectl(context, namespace, ['delete', 'jobs.batch', ...which, '--cascade=foreground', '--ignore-not-found'])

export const deleteCephJobArgs = (context: string, namespace: string, name: string): Command =>
  deleteArgs(context, namespace, [name])

export const deleteCephJobsArgs = (context: string, namespace: string, subject: string): Command =>
  deleteArgs(context, namespace, ['-l', `${cephJobKeys.subject}=${subject}`])

/** Rook looks for nodes and disks when its operator starts. */
export const restartOperatorArgs = (
  context: string,
  { namespace, name }: { namespace: string; name: string },
): Command => kubectl(context, namespace, ['rollout', 'restart', `deployment/${name}`, '--field-manager', fieldManager])
