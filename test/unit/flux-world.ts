/** Flux objects as the API server shows them, for tests. */
import { type FluxView, fluxView } from '../../src/lib/ops/flux-view.ts'
import type { KubeObject, ManagedFields } from '../../src/lib/types.ts'

export const sha = (digit: string) => digit.repeat(40)

export interface FluxFacts {
  kind?: 'Kustomization' | 'HelmRelease' | 'GitRepository' | 'OCIRepository'
  namespace?: string
  ready?: 'True' | 'False' | 'Unknown'
  reason?: string
  message?: string
  suspend?: boolean
  /** Who set spec.suspend. */
  by?: ManagedFields
  annotations?: Record<string, string>
  /** Name of the Kustomization that applies it. */
  owner?: string
  generation?: number
  observedGeneration?: number
  spec?: { [key: string]: unknown }
  status?: { [key: string]: unknown }
}

const apiVersions = {
  Kustomization: 'kustomize.toolkit.fluxcd.io/v1',
  HelmRelease: 'helm.toolkit.fluxcd.io/v2',
  GitRepository: 'source.toolkit.fluxcd.io/v1',
  OCIRepository: 'source.toolkit.fluxcd.io/v1',
}

export function fluxObject(name: string, facts: FluxFacts = {}): KubeObject {
  const { kind = 'Kustomization', namespace = 'flux-system', ready = 'True', generation = 1, suspend } = facts
  const { observedGeneration = generation, reason = 'ReconciliationSucceeded', message = 'fine', by } = facts
  const owner = facts.owner
    ? { 'kustomize.toolkit.fluxcd.io/name': facts.owner, 'kustomize.toolkit.fluxcd.io/namespace': 'flux-system' }
    : {}
  const writers = by ? { managedFields: [{ fieldsV1: { 'f:spec': { 'f:suspend': {} } }, ...by }] } : {}
  return {
    apiVersion: apiVersions[kind],
    kind,
    metadata: { name, namespace, generation, labels: owner, annotations: facts.annotations ?? {}, ...writers },
    spec: { ...facts.spec, ...(suspend === undefined ? {} : { suspend }) },
    status: {
      observedGeneration,
      conditions: [{ type: 'Ready', status: ready, reason, message, lastTransitionTime: '2026-11-30T10:00:00Z' }],
      ...facts.status,
    },
  }
}

export const fluxViewOf = (name: string, facts?: FluxFacts): FluxView => fluxView(fluxObject(name, facts))

/** The annotations of a hold. */
export const noteOf = (hold: { id?: string; owner?: string; scope?: string; until?: string; reason?: string }) => ({
  'k8sops.dev/hold-id': hold.id ?? 'flux.suspend/20261130T100000Z-3f9c',
  'k8sops.dev/hold-owner': hold.owner ?? 'jane@desk',
  'k8sops.dev/hold-reason': hold.reason ?? 'memory limit',
  'k8sops.dev/hold-since': '2026-11-30T10:00:00Z',
  'k8sops.dev/hold-until': hold.until ?? '2026-11-30T12:00:00Z',
  'k8sops.dev/hold-scope': hold.scope ?? 'app/odoo',
})
