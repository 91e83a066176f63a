/** What bootstrap sees before it starts: whether this machine is set up for it, and how far the cluster is. */
import type { GatePort } from '../engine/ports.ts'
import type { ConfigError } from '../errors.ts'
import type { Check, Cluster, Json, TalosPort, Verdict } from '../types.ts'
import { bootstrapTools, check } from './bootstrap-input.ts'

/** Everything that can be wrong with tools, configuration, secrets and access (exit 2). */
export const preflightChecks: Check[] = [
  check('tools-present', { tools: bootstrapTools.join(',') }),
  check('config-sound'),
  check('no-confirm-left'),
  check('op-signed-in'),
  check('talsecret-decrypts'),
  check('context-not-foreign'),
]

/** The verdicts of the preflight, in the order of the checks. */
export function observePreflight(gates: GatePort, signal: AbortSignal): Promise<Verdict[]> {
  return Promise.all(preflightChecks.map((one) => gates.evaluate(one, signal)))
}

/** What is wrong with bootstrap's files, as a verdict. A missing kustomize, which reads them, is the tools' verdict already. */
export function fileVerdicts({ message, problems, detail: { next } }: ConfigError): Verdict[] {
  if (problems.length === 0) return []
  return [{ status: 'fail', detail: message, cause: 'configuration', final: true, problems, ...(next ? { next } : {}) }]
}

/**
 * The state of every machine by hostname. Nothing is decided on it (each step looks again just before it acts); it is
 * there for the reader of the plan. A machine that can't be told stands as `unknown`.
 */
export async function observeMachines(
  talos: TalosPort,
  cluster: Cluster,
  signal: AbortSignal,
): Promise<Record<string, Json>> {
  const states = await Promise.all(
    cluster.nodes.map(async ({ hostname, address }): Promise<[string, Json]> => {
      const state = await talos.state(address, signal)
      if (state.ok) return [hostname, state.value]
      // Whose it is will be known once the talosconfig is generated, the plan's first step.
      return [hostname, state.why === 'failed' ? 'configured' : 'unknown']
    }),
  )
  return Object.fromEntries(states)
}

/** The preflight as a plan shows it: what passed says what it found, everything else is `unknown`. */
export function preflightFacts(verdicts: Verdict[]): Record<string, Json> {
  return Object.fromEntries(
    preflightChecks.map(({ gate }, index) => {
      const verdict = verdicts[index]
      return [gate, verdict?.status === 'pass' ? verdict.detail : 'unknown']
    }),
  )
}
