/** The hops of a secret on its way from 1Password into a process (NFR5). */
import type { Gate } from '../types.ts'

const runbook = 'docs/runbooks/secrets.md'
const externalSecret = { apiVersion: 'external-secrets.io/v1', kind: 'ExternalSecret', namespace: '$namespace' }

export const secretHopGates = {
  'item-field-changed': {
    title: '1Password has another value at $reference than before (digest $digest)',
    probe: 'item-field-changed',
    params: ['reference', 'salt', 'digest'],
    everySec: 2,
    runbook,
  },
  'external-secret-asked': {
    title: 'ExternalSecret $name of $namespace is asked to look at once ($token)',
    object: externalSecret,
    expect: {
      atLeast: 1,
      named: '$name',
      every: [{ path: 'metadata.annotations[force-sync]', in: ['$token'] }],
    },
    params: ['namespace', 'name', 'token'],
    runbook,
  },
  'external-secret-refreshed': {
    title: 'ExternalSecret $name of $namespace was refreshed since $since, after it was asked',
    // Ready of an older refresh is no answer: External Secrets keeps it. It writes down which annotations it has seen (2.4: generation
    // and a hash of them), and when it read the values.
    object: externalSecret,
    expect: {
      atLeast: 1,
      named: '$name',
      every: [
        { condition: 'Ready', is: 'True' },
        { path: 'status.syncedResourceVersion', notIn: ['$seen'] },
        { path: 'status.refreshTime', notBefore: '$since' },
      ],
    },
    params: ['namespace', 'name', 'seen', 'since'],
    mayBeEmpty: ['seen'],
    next: 'kubectl -n $namespace describe externalsecret $name; kubectl -n external-secrets logs deployment/external-secrets --tail=50',
    runbook,
  },
  'secret-changed': {
    title: 'Secret $name of $namespace has another value than before (digest $digest)',
    probe: 'secret-changed',
    params: ['namespace', 'name', 'salt', 'digest'],
    everySec: 1,
    next: 'does the ExternalSecret take this field? kubectl -n $namespace get externalsecret -o yaml',
    runbook,
  },
  'secret-in-pods': {
    title: 'every pod that uses Secret $name of $namespace has its value of now',
    probe: 'secret-in-pods',
    params: ['namespace', 'name', 'atLeast'],
    everySec: 1,
    next: 'an environment variable is read at start: reloader.stakater.com/auto: "true" on the workload (docs/runbooks/reloader.md), or kubectl rollout restart',
    runbook,
  },
} as const satisfies Record<string, Gate>
