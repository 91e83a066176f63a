import { defineCommand, textOption } from '../../lib/cli/define.ts'
import { loadRepository, repositoryRoot } from '../../lib/config/load.ts'
import { exitCodes } from '../../lib/errors.ts'
import type { Json } from '../../lib/types.ts'
import { namedCluster } from '../repo/selection.ts'

export const netpolExplain = defineCommand({
  path: 'netpol explain',
  summary: 'Tell which network policy decides about a connection, from the manifests alone',
  description:
    'Renders the cluster as `validate` does and evaluates NetworkPolicy, CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy at both ends of the connection, at layers 3 and 4. What depends on DNS (toFQDNs), on layer 7, or on what no manifest says is unknown, never allowed. SRC and DST are NAMESPACE/NAME of what makes the pods (DST: or of a Service), NAMESPACE/label=value,..., host, remote-node, node, kube-apiserver, world, an address, or a DNS name. PORT is the one that the pod listens on, except behind a Service. Exit 3 unless the connection is allowed.',
  effect: 'read',
  scope: 'cluster',
  args: { src: 'who calls', dst: 'who is called', port: 'PORT, or PORT/udp' },
  examples: [
    'k8sops netpol explain business/odoo databases/postgres 5432 --cluster apps',
    'k8sops netpol explain networking/envoy-external business/odoo 8069 --cluster apps',
    'k8sops netpol explain harbor/harbor-core s3.monosense.dev 443 --cluster infra -o json',
  ],
  runbook: 'docs/runbooks/network-policies.md',
  async read({ args, options, env, cwd, signal }) {
    const [{ endpointDirectory, portOf }, { readView }, { renderersOf }, { clusterPolicies }, { explain }, text] =
      await Promise.all([
        import('../../lib/repo/policy/endpoints.ts'),
        import('../../lib/repo/read-view.ts'),
        import('../../lib/repo/renderers.ts'),
        import('../../lib/repo/policy/cluster-policies.ts'),
        import('../../lib/repo/policy/evaluate.ts'),
        import('../../lib/ui/policy-text.ts'),
      ])
    const asked = portOf(args.port ?? '')
    const repository = await loadRepository(repositoryRoot(cwd, textOption(options.repo)))
    const cluster = namedCluster(repository, options.cluster)
    const { view } = await readView(repository, [cluster], renderersOf(repository.root, env, signal))
    const [own] = view.clusters
    if (!own) throw new Error(`cluster ${cluster.name} was not rendered`)
    const directory = endpointDirectory(own, cluster)
    const sources = directory.find(args.src ?? '')
    const { endpoints: targets, port } = directory.findTarget(args.dst ?? '', asked)
    const { set, notRendered } = clusterPolicies(own)
    const found = sources.flatMap((source) =>
      targets.map((target) => ({
        source: source.text,
        target: target.text,
        port: `${port.number}/${port.protocol}`,
        ...explain(set, source, target, port),
      })),
    )
    // Pods of one name that differ in labels only are said once for each different answer.
    const items = [...new Map(found.map((one) => [JSON.stringify(one), one])).values()]
    return {
      kind: 'PolicyExplanation',
      text: text.explanationText(items, { cluster: cluster.name, policies: set.policies, notRendered }),
      items: items as unknown as { [key: string]: Json }[],
      fields: { cluster: cluster.name, policies: set.policies, notRendered },
      exitCode: items.every(({ verdict }) => verdict === 'allowed') ? exitCodes.ok : exitCodes.gate,
    }
  },
})
