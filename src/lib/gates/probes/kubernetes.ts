/** Probes of the way to another Kubernetes version. */
import type { KubePort, Verdict } from '../../types.ts'
import { valueAt } from '../conditions.ts'
import type { Probe } from '../evaluate.ts'
import { kubernetesStepFault } from '../kubernetes-releases.ts'
import { unreadable } from '../unreadable.ts'

export function kubernetesProbes(kube: KubePort): Record<'kubernetes-path', Probe> {
  return {
    /** From what every kubelet and the API server run, `to` is one step, and the Talos below runs it. */
    async 'kubernetes-path'({ to = '' }, signal): Promise<Verdict> {
      const [nodes, version] = await Promise.all([
        kube.list({ apiVersion: 'v1', kind: 'Node' }, signal),
        kube.raw('/version', { signal }),
      ])
      if (!nodes.ok || !version.ok) return unreadable(...[nodes, version].filter((read) => !read.ok))
      const talos = nodes.value.map(
        (node) => /\((v[^)]+)\)/.exec(String(valueAt(node, 'status.nodeInfo.osImage')))?.[1] ?? '',
      )
      const runs = [
        ...nodes.value.map((node, index) => ({
          name: `Node ${node.metadata.name}`,
          from: String(valueAt(node, 'status.nodeInfo.kubeletVersion') ?? ''),
          talos: talos[index] ?? '',
        })),
        { name: 'the API server', from: gitVersion(version.value), talos: talos[0] ?? '' },
      ]
      const faults = runs.flatMap(({ name, from, talos }) => {
        const fault = kubernetesStepFault(from, to, talos)
        return fault === undefined ? [] : [`${name}: ${fault}`]
      })
      if (faults.length === 0)
        return { status: 'pass', detail: `${nodes.value.length} nodes may go to Kubernetes ${to}` }
      return {
        status: 'fail',
        detail: faults.join('; '),
        waitingFor: faults,
        next: 'go one minor version at a time, Talos first where it has to',
        final: true,
        cause: 'configuration',
      }
    },
  }
}

function gitVersion(json: string): string {
  try {
    return String((JSON.parse(json) as { gitVersion?: string }).gitVersion ?? '')
  } catch {
    return ''
  }
}
