/**
 * `connectivity test`: the network is asked by probes of our own, by what its controllers say, and by the cilium CLI where that is installed.
 * Each part writes down on the cluster what it found; whatever happens, what was made is taken away (FR50).
 */
import {
  applyProbesArgs,
  ciliumCleanupArgs,
  ciliumTestArgs,
  ciliumTestNamespaces,
  deleteNamespacesArgs,
  getAllArgs,
  getProbesArgs,
  judgeArgs,
  type ProbeChoice,
  probesArgs,
} from '../tools/connectivity.args.ts'
import { applyPartArgs, type ConnectivityPart, probeNamespace } from '../tools/connectivity-record.args.ts'
import type { HoldNote } from '../tools/kubectl-hold.args.ts'
import type { Basis, Check, Command, Plan, Step } from '../types.ts'
import { check, whileApiIsAway } from './bootstrap-input.ts'
import type { HoldPlace } from './flux-hold.ts'
import { planOf } from './machine-plan.ts'

export const connectivityRunbook = 'docs/runbooks/connectivity.md'

/** Whose release matrix has Cilium 1.19. */
export const ciliumCliHint =
  'the cilium CLI is not on PATH: install cilium-cli 0.19 (`mise use aqua:cilium/cilium-cli@0.19`), then the same again'

export interface ConnectivityInput extends HoldPlace {
  probes: ProbeChoice
  /** RFC 3339; when it begins. */
  at: string
  /** Kinds that are served, of those that the probes and the judgement of announcements are made from. */
  served: { routes: string[]; announcements: string[] }
  /** Namespaces that a test before has left. */
  strays: string[]
  /** Undefined without the CLI. */
  cilium?: { junitFile: string; note: HoldNote; timeoutSec: number }
}

/** How long after its time a kubelet may still be at work on the end of a pod. */
const graceSec = 10

export function planConnectivity(input: ConnectivityInput, basis: Basis): Plan {
  const { cluster, probes, strays, served, target, cilium } = input
  const { context } = target
  const { token, suite, windowSec } = probes
  const test = { token, at: input.at, suite }
  const step = (id: string, title: string, pipeline: Command[], done: Check[], more: Partial<Step> = {}): Step => ({
    id,
    title,
    verify: done,
    interrupt: 'now',
    timeoutSec: 120,
    runbook: connectivityRunbook,
    action: { kind: 'exec', pipeline, retry: whileApiIsAway(cluster.endpoint) },
    ...more,
  })
  const record = (part: ConnectivityPart, title: string, from: Command[], more: string[] = []): Step => {
    const recorded = [check('connectivity-recorded', { part, token })]
    const pipeline = [...from, judgeArgs(part, test, more), applyPartArgs(context, part)]
    return step(`${part}/record`, title, pipeline, recorded, { unless: recorded })
  }
  const absent = (names: string[]) => [check('namespaces-absent', { names: names.join(',') })]
  const remove = (id: string, title: string, names: string[], more: Partial<Step> = {}): Step =>
    step(id, title, [deleteNamespacesArgs(context, names)], absent(names), {
      unless: absent(names),
      timeoutSec: 600,
      ...more,
    })
  const probesRecorded = [check('connectivity-recorded', { part: 'probes', token })]
  const params = { suite, token, cilium: cilium !== undefined, strays }
  const head = { operation: 'connectivity.test', cluster: cluster.name, params, scope: 'connectivity' }
  return planOf(head, basis, [
    ...(strays.length > 0 ? [remove('sweep', `Remove what a test before has left: ${strays.join(', ')}`, strays)] : []),
    {
      ...step(
        'probes/start',
        'Start a probe on each node, and one that nothing is allowed to',
        [],
        [check('namespace-present', { names: probeNamespace })],
      ),
      orUnless: probesRecorded,
      action: {
        kind: 'exec',
        pipeline: [getAllArgs(context, served.routes), probesArgs(probes), applyProbesArgs(context)],
        // The controller manager makes it a moment after the namespace.
        retry: whileApiIsAway(cluster.endpoint, 'serviceaccount "default" not found'),
      },
    },
    {
      ...step('probes/answer', 'Wait until every probe has answered, or its time is over', [], []),
      action: { kind: 'wait' },
      orUnless: probesRecorded,
      verify: [check('probes-answered', { token, seconds: String(windowSec + graceSec) })],
      timeoutSec: windowSec + 60,
    },
    record('probes', 'Write down what the probes have seen', [getProbesArgs(context)]),
    record('announcements', 'Write down which addresses are announced, and from where', [
      getAllArgs(context, served.announcements),
    ]),
    ...(cilium ? [ciliumStep(input, cilium)] : []),
    record(
      'cilium',
      'Write down what the cilium CLI has found',
      [],
      cilium ? ['--junit', cilium.junitFile] : ['--missing', ciliumCliHint],
    ),
    ...(cilium
      ? [
          step(
            'cilium/clean',
            'Remove everything that the cilium CLI has made',
            [ciliumCleanupArgs(context)],
            absent(ciliumTestNamespaces),
            {
              unless: absent(ciliumTestNamespaces),
              always: true,
              timeoutSec: 600,
            },
          ),
        ]
      : []),
    remove('probes/clean', `Remove namespace ${probeNamespace}, with everything in it`, [probeNamespace], {
      always: true,
    }),
    {
      ...step('verdict', 'See whether a check has failed', [], []),
      action: { kind: 'wait' },
      verify: [check('connectivity-not-failed', { token })],
      finding: true,
    },
  ])
}

/** Its tests fail with exit code 0: the report tells. That it can't even begin is told by there being none. */
function ciliumStep(
  { target, probes }: ConnectivityInput,
  { junitFile, note, timeoutSec }: NonNullable<ConnectivityInput['cilium']>,
): Step {
  return {
    id: 'cilium/test',
    title: `Run the ${probes.suite === 'full' ? 'tests' : 'quick tests'} of the cilium CLI`,
    orUnless: [check('connectivity-recorded', { part: 'cilium', token: probes.token })],
    action: {
      kind: 'exec',
      pipeline: [ciliumTestArgs(target.context, probes.suite, junitFile, note, timeoutSec)],
      accept: ['[^]'],
    },
    verify: [],
    interrupt: 'now',
    timeoutSec: timeoutSec + 300,
    runbook: connectivityRunbook,
  }
}

/** Namespaces that only a test makes. */
export const strayNamespaces = (names: string[]): string[] =>
  names.filter((name) => name === probeNamespace || ciliumTestNamespaces.includes(name)).toSorted()
