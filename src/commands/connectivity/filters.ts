/** Filters for the plan of `connectivity test`, and what its probes run. */
import { readFile, writeFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { defineCommand, textOption } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { UsageError } from '../../lib/errors.ts'
import { judgeCilium } from '../../lib/ops/cilium-junit.ts'
import { type Ask, answersText } from '../../lib/ops/connectivity-asks.ts'
import { judgeAnnouncements, judgeProbes } from '../../lib/ops/connectivity-judge.ts'
import { probeObjects } from '../../lib/ops/connectivity-probes.ts'
import { askNetwork } from '../../lib/tools/connectivity-probe.ts'
import { type ConnectivityPart, connectivityParts, recordOfPart } from '../../lib/tools/connectivity-record.args.ts'
import type { KubeObject } from '../../lib/types.ts'
import { suiteOf, suiteOption } from './suite.ts'

const listOnStdin = async (): Promise<KubeObject[]> =>
  (JSON.parse(await text(process.stdin)) as { items: KubeObject[] }).items

export const connectivityProbes = defineCommand({
  path: 'connectivity probes',
  summary: 'Make the probes of a test out of nodes, routes and gateways on stdin',
  effect: 'local',
  scope: 'none',
  args: { 'egress...?': 'https origins that pods have to reach' },
  options: [
    suiteOption,
    { flags: '--image <image>', description: 'k8sops, as CronJobs run it' },
    { flags: '--token <token>', description: 'id of the test' },
    { flags: '--window <duration>', description: 'how long a probe may take', default: '90s' },
    { flags: '--mtu <bytes>', description: 'what has to come through in one piece; 0: nobody knows', default: '0' },
    { flags: '--inside-server <address>', description: 'name server of the networks at home' },
    { flags: '--outside-server <address>', description: 'name server of the world' },
    { flags: '--outside-address <address>', description: 'of the gateway that the world sees' },
  ],
  examples: [
    'kubectl get nodes,httproutes,gateways -A -o json | k8sops connectivity probes --image k8sops:1 --token now --outside-server 1.1.1.1 | kubectl apply -f -',
  ],
  async run({ options, rest, out }) {
    const [image, token, outsideServer] = [
      textOption(options.image),
      textOption(options.token),
      textOption(options.outsideServer),
    ]
    const mtu = Number(options.mtu)
    if (!image || !token || !outsideServer || Number.isNaN(mtu))
      throw new UsageError('--image, --token, --outside-server and a number for --mtu are needed')
    const [insideServer, outsideAddress] = [textOption(options.insideServer), textOption(options.outsideAddress)]
    const items = probeObjects(await listOnStdin(), {
      suite: suiteOf(options),
      image,
      token,
      windowSec: parseDurationSec(String(options.window)),
      mtu,
      outsideServer,
      ...(insideServer === undefined ? {} : { insideServer }),
      ...(outsideAddress === undefined ? {} : { outsideAddress }),
      egress: rest.egress ?? [],
    })
    out(JSON.stringify({ apiVersion: 'v1', kind: 'List', items }))
    return undefined
  },
})

/** Where a kubelet looks for what a container has to say at its end. */
const terminationMessage = '/dev/termination-log'

export const connectivityProbe = defineCommand({
  path: 'connectivity probe',
  summary: 'Ask the network from where this runs, and stay reachable to the end of the time',
  effect: 'local',
  scope: 'none',
  args: { asks: 'JSON, a list of what is asked' },
  options: [
    { flags: '--window <duration>', description: 'how long it asks, and stays', default: '45s' },
    { flags: '--to <file>', description: 'where the answers are written', default: terminationMessage },
  ],
  examples: [
    `k8sops connectivity probe --window 5s --to answers.json '[{"check":"dns-inside","kind":"dns","name":"kubernetes.default.svc.cluster.local","expect":"some"}]'`,
  ],
  async run({ args, options, signal }) {
    let asks: Ask[]
    try {
      asks = JSON.parse(args.asks ?? '') as Ask[]
    } catch (cause) {
      throw new UsageError(`what is to be asked is no JSON: ${(cause as Error).message}`)
    }
    const windowMs = parseDurationSec(String(options.window)) * 1000
    // Others ping this pod for as long as they have time.
    const stay = sleep(windowMs, undefined, { signal }).catch(() => {})
    const answers = await askNetwork(asks, windowMs * 0.8)
    await writeFile(String(options.to), answersText(answers))
    if (asks.some(({ kind }) => kind === 'ping')) await stay
    return undefined
  },
})

export const connectivityJudge = defineCommand({
  path: 'connectivity judge',
  summary: 'Make a record out of what one part of a test has left, on stdin or in a report',
  effect: 'local',
  scope: 'none',
  args: { part: connectivityParts.join(', ') },
  options: [
    suiteOption,
    { flags: '--token <token>', description: 'id of the test' },
    { flags: '--at <time>', description: 'when it began (RFC 3339)' },
    { flags: '--junit <file>', description: 'report of the cilium CLI' },
    { flags: '--missing <text>', description: 'why there is none' },
  ],
  examples: [
    'kubectl -n k8sops-connectivity get pods -o json | k8sops connectivity judge probes --token now --at 2026-11-30T06:00:00Z | kubectl apply --server-side -f -',
  ],
  async run({ args, options, out, note }) {
    const [token, at] = [textOption(options.token), textOption(options.at)]
    const part = args.part as ConnectivityPart
    if (!token || !at || !connectivityParts.includes(part))
      throw new UsageError(`--token, --at and one of ${connectivityParts.join(', ')} are needed`)
    const rows =
      part === 'probes'
        ? judgeProbes(await listOnStdin())
        : part === 'announcements'
          ? judgeAnnouncements(await listOnStdin())
          : [await judgedReport(textOption(options.junit), textOption(options.missing))]
    for (const { check, state, detail } of rows) note(`${state} ${check}: ${detail}`)
    out(JSON.stringify(recordOfPart(part, { token, at, suite: suiteOf(options), rows })))
    return undefined
  },
})

async function judgedReport(file: string | undefined, missing: string | undefined) {
  const report = file === undefined ? undefined : await readFile(file, 'utf8').catch(() => undefined)
  return judgeCilium(report, missing ?? `the cilium CLI left no report: the log of the step cilium/test tells why`)
}
