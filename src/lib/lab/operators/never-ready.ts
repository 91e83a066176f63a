/**
 * The fault `flux-never-ready` for one object: the API server refuses the status that would make it Ready, so the real
 * controllers try and fail for as long as the fault is on.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { KubeObject } from '../../types.ts'
import type { ClusterView } from '../kube/cluster-view.ts'
import { isTrue, nextConditions } from '../kube/conditions.ts'
import type { Lab } from '../types.ts'

const policyName = 'lab-flux-never-ready'
const admission = 'admissionregistration.k8s.io/v1'

const kinds = [
  { apiVersion: 'kustomize.toolkit.fluxcd.io/v1', kind: 'Kustomization' },
  { apiVersion: 'helm.toolkit.fluxcd.io/v2', kind: 'HelmRelease' },
]

/** Keeps the policy as the fault says; returns how to end it. */
export function followNeverReady(lab: Lab, view: ClusterView): () => void {
  let last: string | undefined
  let busy: Promise<void> = Promise.resolve()

  const follow = () => {
    busy = busy.then(apply).catch((error: Error) => lab.log('operators', `flux-never-ready: ${error.message}`))
  }
  const apply = async () => {
    if (!view.reads()) return
    const held = lab.faults.active('flux-never-ready')?.params?.name ?? ''
    if (held === last) return
    const writer = view.writer()
    if (held === '') {
      // A lab that never had this fault has nothing to remove.
      if (last !== undefined) {
        await writer.remove({ apiVersion: admission, kind: 'ValidatingAdmissionPolicyBinding', name: policyName })
        await writer.remove({ apiVersion: admission, kind: 'ValidatingAdmissionPolicy', name: policyName })
      }
    } else {
      for (const object of policyFor(held)) await writer.apply(object, 'k8sops-lab')
      await takeReadyAway(held)
    }
    last = held
  }

  /** What is Ready already stays so until its controller looks again, which may be an hour. */
  const takeReadyAway = async (held: string) => {
    for (const kind of kinds) {
      const listed = await view.reads()?.list(kind)
      if (!listed?.ok) continue
      for (const object of listed.value.filter((each) => nameOf(each) === held && isTrue(each, 'Ready'))) {
        const message = 'Health check failed: held back by the lab (fault flux-never-ready)'
        const condition = { type: 'Ready', status: 'False' as const, reason: 'HealthCheckFailed', message }
        await untilRefused(object)
        await view.writer().patchStatus(object, { conditions: nextConditions(object, [condition]) })
      }
    }
  }

  /** The API server enforces a policy a moment after it was written (1.35); until then a controller could set Ready again. */
  const untilRefused = async (object: KubeObject) => {
    const status = { conditions: object.status?.conditions, observedGeneration: object.metadata.generation }
    for (const deadline = Date.now() + 10_000; Date.now() < deadline; await delay(100)) {
      const refused = await view
        .writer()
        .patchStatus(object, status, { dryRun: true })
        .then(
          () => false,
          () => true,
        )
      if (refused) return
    }
    lab.log('operators', `flux-never-ready: ${nameOf(object)} could still become Ready after 10 s`)
  }

  const ends = [lab.faults.onChange(follow), view.onCrds(follow)]
  follow()
  return () => {
    for (const end of ends) end()
  }
}

const nameOf = ({ metadata }: KubeObject) => `${metadata.namespace}/${metadata.name}`

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
