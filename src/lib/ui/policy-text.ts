/** What network policies decide, for people. */

interface Decision {
  direction: string
  verdict: string
  why: string
  by: { kind: string; namespace?: string; name: string; at?: string }[]
}

interface Explained {
  source: string
  target: string
  port: string
  verdict: string
  egress: Decision
  ingress: Decision
}

export function explanationText(
  items: Explained[],
  { cluster, policies, notRendered }: { cluster: string; policies: number; notRendered: string[] },
): string {
  const blocks = items.map(({ source, target, port, verdict, egress, ingress }) =>
    [`${source} -> ${target} ${port}: ${verdict}`, ...decisionLines(egress), ...decisionLines(ingress)].join('\n'),
  )
  const left = notRendered.length
  const note =
    left === 0
      ? ''
      : `; the charts of ${left} releases were not rendered, and a NetworkPolicy of theirs is not among these`
  return `${blocks.join('\n\n')}\n\n${policies} policies of cluster ${cluster}${note}\n`
}

function decisionLines({ direction, verdict, why, by }: Decision): string[] {
  return [
    `  ${direction.padEnd(7)} ${verdict}: ${why}`,
    ...by.map(
      ({ kind, namespace, name, at }) =>
        `          ${kind} ${namespace ? `${namespace}/` : ''}${name}${at ? ` ${at}` : ''}`,
    ),
  ]
}
