import { type CommandContext, cell, defineCommand, textOption } from '../../lib/cli/define.ts'
import { loadRepository, repositoryRoot } from '../../lib/config/load.ts'
import { exitCodes, UnreachableError } from '../../lib/errors.ts'
import { auditPolicies, type PolicyFlows, policyFlows } from '../../lib/ops/netpol-audit.ts'
import { netpolRunbook } from '../../lib/ops/netpol-bypass.ts'
import { observeVerdictsArgs } from '../../lib/tools/kubectl-netpol.args.ts'
import type { KubeObject, KubePort } from '../../lib/types.ts'

const kinds = [
  { apiVersion: 'cilium.io/v2', kind: 'CiliumClusterwideNetworkPolicy' },
  { apiVersion: 'cilium.io/v2', kind: 'CiliumNetworkPolicy' },
  { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy' },
]
const lastFlows = 5000

export const netpolAudit = defineCommand({
  path: 'netpol audit',
  summary: 'Compare the live network policies with those in Git, and find namespaces that are open',
  description:
    'The baseline is what the files here render to for the cluster. Missing, extra and changed policies, and namespaces in which nothing is denied by default, are differences: exit 3. A bypass is shown with its holder, and is one only when it has expired or nobody left a note. What charts bring that could not be rendered is listed as not compared. Where Hubble runs, policies that allowed none of the flows it remembers are shown.',
  effect: 'read',
  scope: 'cluster',
  examples: ['k8sops netpol audit --cluster apps', 'k8sops netpol audit --cluster infra -o json'],
  runbook: netpolRunbook,
  async read(context) {
    const [cluster, kube] = await Promise.all([context.cluster(), context.kube()])
    const [baseline, namespaces, flows, ...live] = await Promise.all([
      baselineOf(context, cluster.name),
      listed(kube, { apiVersion: 'v1', kind: 'Namespace' }, context.signal),
      flowsOf(context, kube),
      ...kinds.map((ref) => listed(kube, ref, context.signal)),
    ])
    const input = { ...baseline, namespaces, live: live.flat(), ...(flows ? { flows } : {}) }
    const findings = auditPolicies(input, Date.now())
    const drift = findings.filter((finding) => finding.drift).length
    return {
      kind: 'PolicyAudit',
      items: findings.map((finding) => ({ ...finding })),
      columns: [
        { title: 'what', value: cell('what') },
        { title: 'name', value: cell('name') },
        { title: 'detail', value: cell('detail') },
      ],
      fields: {
        cluster: cluster.name,
        drift,
        baseline: baseline.baseline.length,
        live: input.live.length,
        notRendered: baseline.notRendered,
        hubble: flows ? { since: flows.since, until: flows.until, flows: flows.flows } : null,
      },
      exitCode: drift > 0 ? exitCodes.gate : exitCodes.ok,
    }
  },
})

async function baselineOf({ options, cwd, env, signal }: CommandContext, name: string) {
  const [{ readView }, { renderersOf }, { clusterPolicyObjects }] = await Promise.all([
    import('../../lib/repo/read-view.ts'),
    import('../../lib/repo/renderers.ts'),
    import('../../lib/repo/policy/cluster-policies.ts'),
  ])
  const repository = await loadRepository(repositoryRoot(cwd, textOption(options.repo)))
  const clusters = repository.clusters.filter((one) => one.name === name)
  const { view } = await readView(repository, clusters, renderersOf(repository.root, env, signal))
  const [own] = view.clusters
  if (!own) throw new Error(`cluster ${name} was not rendered`)
  const { objects, notRendered } = clusterPolicyObjects(own)
  return { baseline: objects, notRendered }
}

/** A kind that is not served has no objects. @throws UnreachableError */
async function listed(
  kube: KubePort,
  ref: { apiVersion: string; kind: string },
  signal: AbortSignal,
): Promise<KubeObject[]> {
  const read = await kube.list(ref, signal)
  if (read.ok) return read.value
  if (read.why === 'not-found') return []
  throw new UnreachableError(`${ref.kind} can't be read`, { output: read.detail })
}

/** What the agents of all nodes remember; undefined where none runs, or none of them says anything. */
async function flowsOf(context: CommandContext, kube: KubePort): Promise<PolicyFlows | undefined> {
  const agents = await kube.list(
    { apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system', labelSelector: 'k8s-app=cilium' },
    context.signal,
  )
  const running = agents.ok ? agents.value.filter(({ status }) => status?.phase === 'Running') : []
  if (running.length === 0) return undefined
  const [exec, { context: name }] = await Promise.all([context.exec(), context.target()])
  const outputs = await Promise.all(
    running.map(async ({ metadata }) => {
      const command = observeVerdictsArgs(name, 'kube-system', metadata.name, lastFlows)
      const said = await exec({ pipeline: [command], timeoutSec: 30, signal: context.signal })
      return said.exitCode === 0 ? said.stdout : ''
    }),
  )
  const flows = policyFlows(outputs.join('\n'))
  if (!flows) context.note('Hubble says nothing: which policies are used is not known')
  return flows
}
