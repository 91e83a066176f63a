/** `secrets sync` and `secrets rotate-test`: a secret on its way from 1Password into pods, one step a hop, each timed (NFR5). */
import { GateError, UsageError } from '../errors.ts'
import { forceSyncArgs } from '../tools/kubectl-secrets.args.ts'
import { editItemArgs, getItemArgs, renewFieldArgs } from '../tools/op-item.args.ts'
import type { Basis, KubeObject, Plan, Step } from '../types.ts'
import { check, whileApiIsAway } from './bootstrap-input.ts'
import type { HoldPlace } from './flux-hold.ts'
import { planOf } from './machine-plan.ts'

export const externalSecretKind = { apiVersion: 'external-secrets.io/v1', kind: 'ExternalSecret' }
const runbook = 'docs/runbooks/secrets.md'

/** NFR5: from 1Password into every pod (seconds). */
export const hopsTargetSec = 600

export interface SecretView {
  namespace: string
  /** Of the ExternalSecret. */
  name: string
  /** Of the Secret that it makes. */
  target: string
  /** Which version of itself it was refreshed for last. */
  seen: string
  /** What of 1Password it takes; of an item without a field everything. */
  takes: { item: string; field?: string }[]
  /** Kustomization or HelmRelease that applies it. */
  owner: string
}

export function secretView({ metadata, spec, status }: KubeObject): SecretView {
  const {
    data = [],
    dataFrom = [],
    target,
  } = (spec ?? {}) as {
    data?: { remoteRef?: { key?: string; property?: string } }[]
    dataFrom?: { extract?: { key?: string } }[]
    target?: { name?: string }
  }
  const labels = metadata.labels ?? {}
  const takes = [
    ...data.map(({ remoteRef: { key: item = '', property: field } = {} }) => ({ item, ...(field ? { field } : {}) })),
    ...dataFrom.map(({ extract: { key: item = '' } = {} }) => ({ item })),
  ]
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    target: target?.name ?? metadata.name,
    seen: String(status?.syncedResourceVersion ?? ''),
    takes,
    owner: labels['helm.toolkit.fluxcd.io/name'] ?? labels['kustomize.toolkit.fluxcd.io/name'] ?? '',
  }
}

/** @throws UsageError for an application that has none */
export function secretsOfApp(views: SecretView[], app: string): SecretView[] {
  const own = views.filter(
    ({ owner, name, namespace }) => owner === app || name === app || `${namespace}/${name}` === app,
  )
  if (own.length > 0) return own
  const owners = [...new Set(views.map(({ owner }) => owner).filter(Boolean))].toSorted()
  throw new UsageError(`${app} has no ExternalSecret`, {
    next: owners.length > 0 ? `these have: ${owners.join(', ')}` : 'kubectl get externalsecrets -A',
  })
}

/** @throws GateError when nothing takes the field */
export function secretsOfItem(views: SecretView[], item: string, field: string, cluster: string): SecretView[] {
  const own = views.filter(({ takes }) => takes.some((one) => one.item === item && (one.field ?? field) === field))
  if (own.length > 0) return own
  throw new GateError(`no ExternalSecret of ${cluster} takes field ${field} of item ${item}`, {
    next: 'make one for the test (docs/runbooks/secrets.md), or name an item whose change does no harm with --item',
    runbook,
  })
}

export interface HopsInput extends HoldPlace {
  secrets: SecretView[]
  /** Marks the request on the ExternalSecrets. */
  token: string
  /** When the plan was made (RFC 3339, seconds). */
  since: string
  /** For all hops together (seconds). */
  limitSec: number
}

/** `k8sops secrets sync APP`. */
export function planSync(input: HopsInput, app: string, basis: Basis): Plan {
  const head = {
    operation: 'secrets.sync',
    cluster: input.cluster.name,
    params: { app, secrets: input.secrets.map(idOf) },
    scope: `app/${app.replaceAll(/[^\w.-]/g, '.')}`,
  }
  const steps = [...askSteps(input), ...refreshSteps(input, 0.5), ...podSteps(input, 0.5, 0)]
  return { ...planOf(head, basis, steps), targetSec: hopsTargetSec }
}

export interface RotationInput extends HopsInput {
  vault: string
  item: string
  field: string
  /** Of this comparison. */
  salt: string
  /** As the field and the Secrets were: by `namespace/secret`. */
  digests: { field: string; secrets: Record<string, string> }
}

/** `k8sops secrets rotate-test`: the item is changed, and the change is followed. */
export function planRotation(input: RotationInput, basis: Basis): Plan {
  const { cluster, secrets, vault, item, field } = input
  const head = {
    operation: 'secrets.rotate-test',
    cluster: cluster.name,
    params: { item: `${vault}/${item}`, field, secrets: secrets.map(idOf) },
    scope: `item/${item.replaceAll(/[^\w.-]/g, '.')}`,
  }
  const steps = [
    renewStep(input),
    ...askSteps(input),
    ...refreshSteps(input, 0.5),
    ...secrets.map((secret): Step => {
      const { namespace, target } = secret
      const digest = input.digests.secrets[`${namespace}/${target}`] ?? ''
      return hop(secret, 'changed', `Wait until Secret ${namespace}/${target} has changed`, 0.1 * input.limitSec, [
        check('secret-changed', { namespace, name: target, salt: input.salt, digest }),
      ])
    }),
    ...podSteps(input, 0.4, 1),
  ]
  return { ...planOf(head, basis, steps), targetSec: hopsTargetSec }
}

/** The value goes from process to process, and stands in no argument, file or log. */
function renewStep({ vault, item, field, salt, digests }: RotationInput): Step {
  return {
    id: 'item/renew',
    title: `Give field ${field} of item ${item} in vault ${vault} another value`,
    require: [check('op-signed-in')],
    action: {
      kind: 'exec',
      pipeline: [getItemArgs(vault, item), renewFieldArgs(field), editItemArgs(vault, item)],
    },
    verify: [
      check('item-field-changed', { reference: fieldReference(vault, item, field), salt, digest: digests.field }),
    ],
    interrupt: 'after',
    timeoutSec: 120,
    runbook,
  }
}

export const fieldReference = (vault: string, item: string, field: string): string => `op://${vault}/${item}/${field}`

const askSteps = ({ cluster, target, secrets, token }: HopsInput): Step[] =>
  secrets.map(({ namespace, name }) => {
    const asked = [check('external-secret-asked', { namespace, name, token })]
    return {
      id: `${namespace}.${name}/ask`,
      title: `Ask External Secrets to look at ${namespace}/${name} at once`,
      unless: asked,
      action: {
        kind: 'exec',
        pipeline: [forceSyncArgs(target.context, namespace, name, token)],
        retry: whileApiIsAway(cluster.endpoint),
      },
      verify: asked,
      interrupt: 'now',
      timeoutSec: 60,
      group: 'ask',
      runbook,
    }
  })

const refreshSteps = ({ secrets, since, limitSec }: HopsInput, share: number): Step[] =>
  secrets.map((secret) => {
    const { namespace, name, seen } = secret
    return hop(secret, 'refreshed', `Wait until ExternalSecret ${namespace}/${name} was refreshed`, share * limitSec, [
      check('external-secret-refreshed', { namespace, name, seen, since }),
    ])
  })

const podSteps = ({ secrets, limitSec }: HopsInput, share: number, atLeast: number): Step[] =>
  secrets.map((secret) => {
    const { namespace, target } = secret
    return hop(
      secret,
      'in-pods',
      `Wait until the pods that use Secret ${namespace}/${target} have it`,
      share * limitSec,
      [check('secret-in-pods', { namespace, name: target, atLeast: String(atLeast) })],
    )
  })

function hop(
  { namespace, name }: SecretView,
  verb: string,
  title: string,
  limitSec: number,
  verify: Step['verify'],
): Step {
  return {
    id: `${namespace}.${name}/${verb}`,
    title,
    action: { kind: 'wait' },
    verify,
    interrupt: 'now',
    finding: true,
    timeoutSec: Math.max(1, Math.round(limitSec)),
    group: verb,
    runbook,
  }
}

const idOf = ({ namespace, name }: SecretView) => `${namespace}/${name}`

interface Item {
  fields?: { id?: string; label?: string; type?: string; value?: string }[]
}

/**
 * The item with another value in one concealed field: random, of the same length.
 * @param text as `op item get --format json` prints it
 * @throws UsageError for what is no item, or has no such concealed field
 */
export function renewedItem(text: string, field: string, random: (length: number) => string): string {
  let item: Item
  try {
    item = JSON.parse(text) as Item
  } catch {
    throw new UsageError('standard input is no item of 1Password', { next: 'op item get ITEM --format json' })
  }
  const found = item.fields?.find(({ id, label }) => label === field || id === field)
  if (found?.type !== 'CONCEALED' || !found.value)
    throw new UsageError(`the item has no concealed field ${field} with a value`)
  const value = random(found.value.length)
  return JSON.stringify({ ...item, fields: item.fields?.map((one) => (one === found ? { ...one, value } : one)) })
}
