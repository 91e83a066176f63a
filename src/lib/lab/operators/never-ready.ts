/**
 * The fault `flux-never-ready` for one object: the API server refuses the status that would make it Ready, so the real
 * controllers try and fail for as long as the fault is on.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { KubeObject } from '../../types.ts'
import type { ClusterView } from '../kube/cluster-view.ts'
import { conditionsOf, isTrue, nextConditions } from '../kube/conditions.ts'
import type { Lab } from '../types.ts'
import { followFault } from './fault-follower.ts'

const policyName = 'lab-flux-never-ready'
const admission = 'admissionregistration.k8s.io/v1'

const kinds = [
  { apiVersion: 'kustomize.toolkit.fluxcd.io/v1', kind: 'Kustomization' },
  { apiVersion: 'helm.toolkit.fluxcd.io/v2', kind: 'HelmRelease' },
]

/** Keeps the policy as the fault says; returns how to end it. */
export function followNeverReady(lab: Lab, view: ClusterView): () => void {
  /** `namespace/name` of the object; no name holds nothing. */
  let held = ''

  /** What is Ready already stays so until its controller looks again, which may be an hour. */
  const takeReadyAway = async (held: string) => {
    for (const object of await named(held)) {
      if (!isTrue(object, 'Ready')) continue
      const message = 'Health check failed: held back by the lab (fault flux-never-ready)'
      await untilEnforced(object, true)
      await view.writer().patchStatus(object, readiness(object, 'False', 'HealthCheckFailed', message))
    }
  }

  /**
   * As `flux reconcile`, or the next look would be an hour away. helm-controller (1.6) moreover never repeats a report that
   * was refused: it finds the release in sync and leaves Ready unknown for good (helm-controller#1409), unless it is forced.
   */
  const askAgain = async (released: string) => {
    const requested = new Date().toISOString()
    for (const object of await named(released)) {
      if (isTrue(object, 'Ready')) continue
      await untilEnforced(object, false)
      const stranded = object.kind === 'HelmRelease' && !isTrue(object, 'Released')
      const annotations = {
        'reconcile.fluxcd.io/requestedAt': requested,
        ...(stranded ? { 'reconcile.fluxcd.io/forceAt': requested } : {}),
      }
      await view.writer().patch(object, { metadata: { annotations } })
    }
  }

  const named = async (name: string): Promise<KubeObject[]> => {
    const lists = await Promise.all(kinds.map((kind) => view.reads()?.list(kind)))
    return lists.flatMap((listed) => (listed?.ok ? listed.value.filter((object) => nameOf(object) === name) : []))
  }

  /** The API server follows a policy a moment after it was written or removed (1.35); until then the old rule holds. */
  const untilEnforced = async (object: KubeObject, refused: boolean) => {
    const ready = readiness(object, 'True', 'ReconciliationSucceeded', 'tried by the lab')
    for (const deadline = Date.now() + 10_000; Date.now() < deadline; await delay(100)) {
      const tried = view.writer().patchStatus(object, ready, { dryRun: true })
      const wasRefused = await tried.then(
        () => false,
        () => true,
      )
      if (wasRefused === refused) return
    }
    const state = refused ? 'could still become Ready' : 'is still held back'
    lab.log('operators', `flux-never-ready: ${nameOf(object)} ${state} after 10 s`)
  }

  return followFault(lab, view, 'flux-never-ready', {
    async begin({ params }) {
      held = params?.name ?? ''
      for (const object of held ? policyFor(held) : []) await view.writer().apply(object, 'k8sops-lab')
      await takeReadyAway(held)
    },
    async end() {
      for (const kind of ['ValidatingAdmissionPolicyBinding', 'ValidatingAdmissionPolicy'])
        await view.writer().remove({ apiVersion: admission, kind, name: policyName })
      await askAgain(held)
    },
  })
}

const nameOf = ({ metadata }: KubeObject) => `${metadata.namespace}/${metadata.name}`

const readiness = (object: KubeObject, status: 'True' | 'False', reason: string, message: string) => ({
  conditions: [
    ...conditionsOf(object).filter(({ type }) => type !== 'Ready'),
    ...nextConditions(object, [{ type: 'Ready', status, reason, message }]),
  ],
})

function policyFor(held: string) {
  const [namespace = '', name = ''] = held.split('/')
  const condition = `c.type == 'Ready' && c.status == 'True'`
  const policy = {
    apiVersion: admission,
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name: policyName },
    spec: {
      failurePolicy: 'Fail',
      matchConstraints: {
        resourceRules: [
          {
            apiGroups: ['kustomize.toolkit.fluxcd.io', 'helm.toolkit.fluxcd.io'],
            apiVersions: ['*'],
            operations: ['UPDATE'],
            resources: ['kustomizations/status', 'helmreleases/status'],
          },
        ],
      },
      matchConditions: [
        {
          name: 'held',
          expression: `object.metadata.name == '${name}' && object.metadata.namespace == '${namespace}'`,
        },
      ],
      validations: [
        {
          expression: `!has(object.status) || !has(object.status.conditions) || !object.status.conditions.exists(c, ${condition})`,
          message: 'held back by the lab (fault flux-never-ready)',
        },
      ],
    },
  }
  const binding = {
    apiVersion: admission,
    kind: 'ValidatingAdmissionPolicyBinding',
    metadata: { name: policyName },
    spec: { policyName, validationActions: ['Deny'] },
  }
  return [policy, binding]
}
