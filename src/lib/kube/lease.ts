/**
 * The lock's write door: Leases in kube-system. The only thing that this program itself writes to an API server
 * (everything else goes through the binary that the runbook names).
 */
import { Agent, request as httpsRequest } from 'node:https'
import type { Lease, LeasePort } from '../engine/ports.ts'
import type { Result } from '../types.ts'
import { type Access, accessReader, tlsOptions } from './kubeconfig.ts'

const base = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases'
/** While machines are still off, this is what every write waits for; an API server that lives answers in milliseconds. */
const timeoutMs = 3_000
/**
 * The lock's requests come in bursts, which share a connection because its handshake costs more than they do. A later one makes its own:
 * the lock must not hang on a connection that died with a control plane.
 */
const burstMs = 1_000
const label = { 'app.kubernetes.io/managed-by': 'k8sops' }

interface LeaseObject {
  metadata: { name: string; resourceVersion?: string; annotations?: Record<string, string> }
  spec?: {
    holderIdentity?: string
    leaseDurationSeconds?: number
    acquireTime?: string
    renewTime?: string
    leaseTransitions?: number
  }
}

/** The kubeconfig is looked at in each call: bootstrap writes it while the run goes on. */
export function createLeasePort(target: { kubeconfig: string; context: string }): LeasePort {
  const accessNow = accessReader(target)
  let known: { access: Access; agent: Agent } | undefined
  const agentOf = (access: Access): Agent => {
    if (access.agent) return access.agent
    if (known?.access !== access) {
      const agent = new Agent({ keepAlive: true, timeout: burstMs, ...tlsOptions(access) })
      known = { access, agent }
    }
    return known.agent
  }
  const call = async (method: string, path: string, body?: LeaseObject): Promise<Result<Lease>> => {
    const access = await accessNow()
    // No context yet: as far as the lock goes, a cluster that isn't there yet.
    if (!access.ok) return { ok: false, why: 'unreachable', detail: access.detail }
    const answer = await send(access.value, agentOf(access.value), method, path, body)
    if (answer instanceof Error) return { ok: false, why: 'unreachable', detail: answer.message }
    if (answer.status >= 200 && answer.status < 300)
      return { ok: true, value: fromObject(JSON.parse(answer.body) as LeaseObject) }
    return refusal(answer.status, answer.body, method)
  }
  return {
    get: (name) => call('GET', `${base}/${name}`),
    create: (lease) => call('POST', base, toObject(lease)),
    replace: (lease) => call('PUT', `${base}/${lease.name}`, toObject(lease)),
  }
}

interface Answer {
  status: number
  body: string
}

function send(
  { server, headers }: Access,
  agent: Agent,
  method: string,
  path: string,
  body: LeaseObject | undefined,
): Promise<Answer | Error> {
  const { promise, resolve } = Promise.withResolvers<Answer | Error>()
  const url = new URL(path, server)
  const request = httpsRequest(url, {
    method,
    headers: { accept: 'application/json', ...(body ? { 'content-type': 'application/json' } : {}), ...headers },
    agent,
    signal: AbortSignal.timeout(timeoutMs),
  })
  request.on('error', (error) =>
    resolve(error.name === 'AbortError' ? new Error(`no answer from ${url.host} within ${timeoutMs / 1000} s`) : error),
  )
  request.on('response', (response) => {
    const chunks: Buffer[] = []
    response.on('data', (chunk: Buffer) => chunks.push(chunk))
    response.on('error', resolve)
    response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }))
  })
  request.end(body ? JSON.stringify(body) : undefined)
  return promise
}

/** HTTP status as a reason. 409 on create is "exists", on replace "conflict": somebody was quicker. */
function refusal(status: number, body: string, method: string): Extract<Result<Lease>, { ok: false }> {
  if (status === 404) return { ok: false, why: 'not-found', detail: body }
  if (status === 401 || status === 403) return { ok: false, why: 'denied', detail: `HTTP ${status}` }
  if (status === 409) return { ok: false, why: 'failed', detail: method === 'POST' ? 'exists' : 'conflict' }
  const detail = `HTTP ${status}: ${saidIn(body).slice(0, 300)}`
  return { ok: false, why: status === 429 || status >= 500 ? 'unreachable' : 'failed', detail }
}

/** An API server answers with a Status; what stands before it (a load balancer) with anything. */
function saidIn(body: string): string {
  try {
    return (JSON.parse(body) as { message?: string }).message ?? body
  } catch {
    return body
  }
}

function toObject(lease: Omit<Lease, 'resourceVersion'> & { resourceVersion?: string }): LeaseObject {
  const { name, resourceVersion, annotations } = lease
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name, labels: label, annotations, ...(resourceVersion ? { resourceVersion } : {}) },
    spec: {
      holderIdentity: lease.holder,
      leaseDurationSeconds: lease.leaseSec,
      // MicroTime: exactly six digits after the point.
      acquireTime: microTime(lease.acquireTime),
      renewTime: microTime(lease.renewTime),
      leaseTransitions: lease.transitions,
    },
  } as LeaseObject
}

const microTime = (time: string) => time.replace(/\.(\d{3})Z$/, '.$1000Z')

function fromObject({ metadata, spec = {} }: LeaseObject): Lease {
  return {
    name: metadata.name,
    resourceVersion: metadata.resourceVersion ?? '',
    holder: spec.holderIdentity ?? '',
    leaseSec: spec.leaseDurationSeconds ?? 0,
    acquireTime: spec.acquireTime ?? '',
    renewTime: spec.renewTime ?? '',
    transitions: spec.leaseTransitions ?? 0,
    annotations: metadata.annotations ?? {},
  }
}
