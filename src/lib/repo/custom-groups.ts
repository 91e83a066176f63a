/** API groups whose kinds need a CRD that somebody has to bring, and the charts that bring them. */
import type { ChartRecord } from '../lab/charts/record.ts'

/** Kubernetes' own, and Flux' own: whoever applies a Kustomization has them. */
const builtInGroup = /^$|^(apps|batch|autoscaling|policy)$|\.k8s\.io$|\.toolkit\.fluxcd\.io$/

/** Whether kinds of it need a CRD that somebody has to bring. */
export const isCustomGroup = (group: string): boolean => !builtInGroup.test(group) || notBuiltIn.test(group)

const notBuiltIn = /^(gateway\.networking|snapshot\.storage|groupsnapshot\.storage|externaldns)\.(k8s\.io|x-k8s\.io)$/

/** CRDs that no chart has: Cilium's operator makes its own when it starts. */
const registered: Record<string, string[]> = { cilium: ['cilium.io'] }

/** Groups whose CRDs come with a chart. */
export const groupsOfChart = (chart: string, facts: Pick<ChartRecord, 'crds'> | undefined): string[] => [
  ...(registered[chart] ?? []),
  ...(facts?.crds ?? []).flatMap(({ names }) => names).map((name) => name.slice(name.indexOf('.') + 1)),
]
