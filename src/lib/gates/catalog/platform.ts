/** OpenBao, as it tells Kubernetes of itself: the labels that its service registration keeps on its pods. */
import type { Gate } from '../types.ts'

const runbook = 'docs/runbooks/openbao.md'
const servers = {
  apiVersion: 'v1',
  kind: 'Pod',
  labelSelector: 'app.kubernetes.io/name=openbao,component=server',
} as const

export const platformGates = {
  'openbao-running': {
    title: 'servers of OpenBao run, initialized or not',
    object: servers,
    expect: { atLeast: 1, every: [{ path: 'status.phase', in: ['Running'] }] },
    params: [],
    next: 'kubectl get pods -A -l app.kubernetes.io/name=openbao,component=server',
    runbook,
  },
  'openbao-initialized': {
    title: 'every server of OpenBao says that it is initialized',
    object: servers,
    expect: { atLeast: 1, every: [{ path: 'metadata.labels.openbao-initialized', in: ['true'] }] },
    params: [],
    next: 'k8sops platform openbao-init',
    runbook,
  },
  'openbao-unsealed': {
    title: 'every server of OpenBao is unsealed and Ready',
    object: servers,
    expect: {
      atLeast: 1,
      every: [
        { path: 'metadata.labels.openbao-sealed', in: ['false'] },
        { condition: 'Ready', is: 'True' },
      ],
    },
    params: [],
    next: 'the seal takes its key from a Secret: kubectl get externalsecrets -A',
    runbook,
  },
} as const satisfies Record<string, Gate>
