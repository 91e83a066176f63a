/** Argv of kubectl 1.35 for a namespace whose network policies an operator bypasses: label and hold in one request, and back. */
import type { Command } from '../types.ts'
import { fieldManager, type HoldNote, holdKeys, noteAnnotations } from './kubectl-hold.args.ts'

/** Namespaces with it are left out of the default deny (ADR 0006); its value is when the bypass ends, in seconds since 1970. */
export const bypassLabel = 'k8sops.dev/netpol-bypass'

const seconds = (until: string): string => String(Math.floor(Date.parse(until) / 1000))

export function bypassArgs(context: string, namespace: string, note: HoldNote): Command {
  return patchArgs(context, namespace, {
    labels: { [bypassLabel]: seconds(note.until) },
    annotations: noteAnnotations(note),
  })
}

export function restoreArgs(context: string, namespace: string): Command {
  const annotations = Object.fromEntries(Object.values(holdKeys).map((key) => [key, null]))
  return patchArgs(context, namespace, { labels: { [bypassLabel]: null }, annotations })
}

/** @param until RFC 3339 */
export function extendBypassArgs(context: string, namespace: string, until: string): Command {
  const annotations = { [holdKeys.until]: until }
  return patchArgs(context, namespace, { labels: { [bypassLabel]: seconds(until) }, annotations })
}

const patchArgs = (context: string, namespace: string, metadata: object): Command => ({
  tool: 'kubectl',
  args: [
    '--context',
    context,
    'patch',
    'namespaces',
    namespace,
    '--type',
    'merge',
    '--field-manager',
    fieldManager,
    '-p',
    JSON.stringify({ metadata }),
  ],
})

/** The policy verdicts that the agent of one node remembers (hubble of Cilium 1.19), a JSON object a line. */
export const observeVerdictsArgs = (context: string, namespace: string, pod: string, last: number): Command => ({
  tool: 'kubectl',
  args: [
    '--context',
    context,
    '-n',
    namespace,
    'exec',
    pod,
    '-c',
    'cilium-agent',
    '--',
    'hubble',
    'observe',
    '--type',
    'policy-verdict',
    '--last',
    String(last),
    '-o',
    'jsonpb',
  ],
})
