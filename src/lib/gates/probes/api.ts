/** Probes of the API server and of the operator's way to it. */
import { X509Certificate } from 'node:crypto'
import type { KubePort } from '../../types.ts'
import type { Probe } from '../evaluate.ts'
import { listOf } from '../fill.ts'
import type { GatePorts } from '../ports.ts'
import { unreadable } from '../unreadable.ts'

type ApiProbe = 'api-ready' | 'cluster-identity' | 'context-not-foreign' | 'kubeconfig-merged'

export function apiProbes(ports: GatePorts, kube: KubePort): Record<ApiProbe, Probe> {
  const { context } = ports.target

  /** Whether the context's CA is the one in the cluster's secrets; undefined when there is no such context. */
  const compare = async (signal: AbortSignal) => {
    const [entry, secrets] = await Promise.all([ports.kubeContext(), ports.talosSecrets(signal)])
    if (!entry.ok) return entry
    if (entry.value === undefined) return { ok: true as const, value: undefined }
    if (!secrets.ok) return { ok: false as const, why: 'failed' as const, detail: secrets.detail }
    const ours = isSameCertificate(entry.value.ca, secrets.value.kubernetesCa)
    return { ok: true as const, value: { ours, server: entry.value.server } }
  }

  return {
    /** Each of `servers` (`https://10.25.13.11:6443`) answers /readyz with `ok`. Authenticated: Talos sets anonymous-auth=false. */
    async 'api-ready'(params, signal) {
      const answers = await Promise.all(
        listOf(params.servers).map(async (server) => ({
          server,
          ready: await kube.raw('/readyz', { server, signal }),
        })),
      )
      const waitingFor = answers.flatMap(({ server, ready }) => {
        if (ready.ok) return ready.value.trim() === 'ok' ? [] : [`${server}: ${ready.value.trim()}`]
        return [ready.detail.includes(server) ? ready.detail : `${server}: ${ready.detail}`]
      })
      if (waitingFor.length === 0) return { status: 'pass', detail: `${answers.length} addresses answer` }
      const silent = answers.every(({ ready }) => !ready.ok)
      return {
        status: silent ? 'unknown' : 'fail',
        detail: waitingFor.join('; '),
        waitingFor,
        ...(silent ? { cause: 'unreachable' as const } : {}),
      }
    },

    /** The cluster behind the context is the one whose secrets are in the repository: it answers, and its CA is ours. */
    async 'cluster-identity'(_params, signal) {
      const compared = await compare(signal)
      if (!compared.ok) return unreadable(compared)
      if (compared.value === undefined) return { status: 'fail', detail: `there is no context ${context}` }
      if (!compared.value.ours) return foreign(compared.value.server)
      const version = await kube.raw('/version', { signal })
      if (!version.ok) return unreadable(version)
      // Something that answers in its place (a proxy's page) is no API server.
      if (!version.value.includes('"gitVersion"'))
        return { status: 'unknown', detail: `${compared.value.server}/version: not what an API server answers` }
      return { status: 'pass', detail: `${compared.value.server} is this cluster's API server` }
    },

    /** A context of that name is this cluster's, or there is none yet. */
    async 'context-not-foreign'(_params, signal) {
      const compared = await compare(signal)
      if (!compared.ok) return unreadable(compared)
      if (compared.value === undefined) return { status: 'pass', detail: `there is no context ${context} yet` }
      return compared.value.ours
        ? { status: 'pass', detail: `context ${context} is this cluster` }
        : foreign(compared.value.server)
    },

    async 'kubeconfig-merged'(params, signal) {
      const compared = await compare(signal)
      if (!compared.ok) return unreadable(compared)
      if (compared.value === undefined)
        return { status: 'fail', detail: `no context ${context} in ${ports.target.kubeconfig}` }
      if (!compared.value.ours) return foreign(compared.value.server)
      const { server } = compared.value
      if (server !== params.server)
        return { status: 'fail', detail: `context ${context} goes to ${server}, not ${params.server}` }
      return { status: 'pass', detail: `context ${context} goes to ${server}` }
    },
  }

  function foreign(server: string) {
    return {
      status: 'fail' as const,
      detail: `kube context ${context} goes to ${server}, whose CA is not the one in talos/${ports.cluster.name}/talsecret.sops.yaml: it is another cluster`,
      next: `kubectl config rename-context ${context} ${context}-other, or correct contexts in k8sops.yaml`,
      final: true as const,
      cause: 'configuration' as const,
    }
  }
}

/** Compares two PEM texts by what they certify, not by their line breaks. */
export function isSameCertificate(left: string, right: string): boolean {
  try {
    return new X509Certificate(left).fingerprint256 === new X509Certificate(right).fingerprint256
  } catch {
    return false
  }
}
