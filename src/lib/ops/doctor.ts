/** `k8sops doctor`: what an operator's machine has, and what it reaches. Reads only. */
import type { GatePort } from '../engine/ports.ts'
import type { ToolVersion } from '../tools/resolve.ts'
import type { Check, Cluster, KubePort, TalosPort, Target, Verdict } from '../types.ts'
import { fluxSkew, kubectlSkew, type Skew, talosSkew } from './skew.ts'

/** `unchecked`: could not be looked at; counted as a warning. Only `broken` makes the exit code 1. */
export type Status = 'ok' | 'warning' | 'unchecked' | 'broken'

export interface Finding {
  area: 'tools' | 'repository' | 'secrets' | 'kubernetes' | 'talos' | 'versions'
  name: string
  status: Status
  /** What was found. */
  found: string
  /** Why that is not good; empty when it is. */
  why: string
  /** What to do about it; empty when there is nothing to do. */
  fix: string
}

const ok = (area: Finding['area'], name: string, found: string): Finding => ({
  area,
  name,
  status: 'ok',
  found,
  why: '',
  fix: '',
})

/** Tools for which a machine is not set up are broken if bootstrap needs them; others are built when they are used. */
export function toolFindings(versions: ToolVersion[], neededNow: string[]): Finding[] {
  return versions.map(({ name, pinned, found, onPath }): Finding => {
    if (found) return ok('tools', name, `${found.version} (${found.source})`)
    const needed = neededNow.includes(name)
    return {
      area: 'tools',
      name,
      status: needed ? 'broken' : 'warning',
      found: onPath === undefined ? 'not installed' : `${onPath} on PATH`,
      why:
        onPath === undefined
          ? `pinned is ${pinned}`
          : `pinned is ${pinned}: arguments of one version can be wrong for another`,
      fix: 'mise install, or npm run setup',
    }
  })
}

/** `op` has no pin: real clusters need one, a lab brings its own. */
export function opFinding(path: string | undefined): Finding {
  if (path) return ok('tools', 'op', path)
  return {
    area: 'tools',
    name: 'op',
    status: 'warning',
    found: 'not installed',
    why: "real clusters' secrets come from 1Password",
    fix: 'install the 1Password CLI 2 (docs/prerequisites.md)',
  }
}

export interface ClusterPorts {
  cluster: Cluster
  target: Target
  gates: GatePort
  kube: KubePort
  talos: TalosPort
  /** `op` is on PATH. */
  hasOp: boolean
  hasTalosconfig: boolean
  /** Pinned versions by tool. */
  pins: Record<string, string>
  signal: AbortSignal
}

/** Everything about one cluster: secrets, context, machines, version skew. */
export async function clusterFindings(ports: ClusterPorts): Promise<Finding[]> {
  const [secrets, kubernetes, machines] = await Promise.all([
    secretFindings(ports),
    kubernetesFindings(ports),
    machineFindings(ports),
  ])
  return [...confirmFindings(ports.cluster), ...secrets, ...kubernetes, ...machines]
}

function confirmFindings({ name, confirm }: Cluster): Finding[] {
  if (confirm.length === 0) return [ok('repository', `facts of ${name}`, 'all confirmed')]
  const [first] = confirm
  return [
    {
      area: 'repository',
      name: `facts of ${name}`,
      status: 'warning',
      found: `${confirm.length} to be confirmed`,
      why: 'a real cluster is not changed while one is left',
      fix: `look them up, the first is ${first?.file}:${first?.line}; k8sops validate lists them`,
    },
  ]
}

async function secretFindings({ cluster, gates, signal, hasOp }: ClusterPorts): Promise<Finding[]> {
  const unchecked = (name: string): Finding => ({
    area: 'secrets',
    name,
    status: 'unchecked',
    found: 'could not check',
    why: 'op is not installed',
    fix: 'install the 1Password CLI 2 (docs/prerequisites.md)',
  })
  if (!hasOp) return [unchecked('1Password'), unchecked('age key')]
  const signedIn = await gates.evaluate({ gate: 'op-signed-in' }, signal)
  if (signedIn.status !== 'pass') {
    const noKey: Finding = { ...unchecked('age key'), why: '1Password is not signed in', fix: signedIn.next ?? '' }
    return [fromVerdict('secrets', '1Password', signedIn), noKey]
  }
  const decrypts = await gates.evaluate({ gate: 'talsecret-decrypts' }, signal)
  const finding = fromVerdict('secrets', `age key, Talos secrets of ${cluster.name}`, decrypts)
  const notMade = decrypts.status !== 'pass' && decrypts.next?.includes('gensecret')
  return [ok('secrets', '1Password', signedIn.detail), notMade ? { ...finding, status: 'unchecked' } : finding]
}

async function kubernetesFindings({ target, gates, kube, pins, signal }: ClusterPorts): Promise<Finding[]> {
  const name = `context ${target.context}`
  const version = await kube.raw('/version', { signal })
  if (!version.ok) {
    const absent = version.detail.includes('has no context') || version.detail.includes('ENOENT')
    return [
      {
        area: 'kubernetes',
        name,
        status: absent ? 'unchecked' : 'broken',
        found: absent ? 'no such context' : version.why,
        why: version.detail,
        fix: absent
          ? `k8sops talos kubeconfig --cluster ${target.cluster}`
          : 'look at the VIP, the VPN and the control planes',
      },
    ]
  }
  const identity = await gates.evaluate({ gate: 'cluster-identity' }, signal)
  const flux = await kube.list({ apiVersion: 'fluxcd.controlplane.io/v1', kind: 'FluxInstance' }, signal)
  return [
    fromVerdict('kubernetes', name, identity),
    fromSkew('kubectl and API server', kubectlSkew(pins.kubectl ?? '', version.value)),
    ...(flux.ok && flux.value[0]
      ? [fromSkew('flux and its controllers', fluxSkew(pins.flux ?? '', flux.value[0]))]
      : []),
  ]
}

async function machineFindings({
  cluster,
  gates,
  talos,
  pins,
  signal,
  hasTalosconfig,
}: ClusterPorts): Promise<Finding[]> {
  if (!hasTalosconfig) {
    return [
      {
        area: 'talos',
        name: `machines of ${cluster.name}`,
        status: 'unchecked',
        found: 'could not check',
        why: 'there is no talosconfig yet',
        fix: `k8sops talos gen --cluster ${cluster.name}`,
      },
    ]
  }
  const findings = cluster.nodes.map(async ({ hostname, address }): Promise<Finding[]> => {
    const look: Check = { gate: 'node-state', params: { nodes: address, in: 'ours' } }
    const state = await gates.evaluate(look, signal)
    if (state.status !== 'pass') {
      const finding = fromVerdict('talos', hostname, state)
      return [
        state.detail.includes('maintenance mode')
          ? { ...finding, status: 'warning', fix: 'k8sops bootstrap' }
          : finding,
      ]
    }
    const version = await talos.get(address, 'version', undefined, signal)
    const running = version.ok ? String(version.value[0]?.spec.version ?? '') : ''
    const skew = fromSkew(`talosctl and ${hostname}`, talosSkew(pins.talosctl ?? '', running, cluster.talosVersion))
    return [ok('talos', hostname, `answers at ${address}`), skew]
  })
  return (await Promise.all(findings)).flat()
}

/** A gate as a line: what fails is broken, what can't be looked at is unchecked. */
function fromVerdict(area: Finding['area'], name: string, verdict: Verdict): Finding {
  if (verdict.status === 'pass') return ok(area, name, verdict.detail)
  const unknown = verdict.status === 'unknown'
  return {
    area,
    name,
    status: unknown ? 'unchecked' : 'broken',
    found: unknown ? 'could not check' : 'does not hold',
    why: verdict.detail,
    fix: verdict.next ?? '',
  }
}

function fromSkew(name: string, skew: Skew): Finding {
  return { area: 'versions', name, status: skew.status, found: skew.found, why: skew.why, fix: skew.fix }
}
