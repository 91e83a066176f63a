import { type CommandContext, defineCommand, textOption } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { untilOf, wholeSeconds } from '../../lib/cli/hold-options.ts'
import { operatorName } from '../../lib/cli/operator.ts'
import { ConfigError, UnreachableError, UsageError } from '../../lib/errors.ts'
import { ciliumCliHint, connectivityRunbook, planConnectivity, strayNamespaces } from '../../lib/ops/connectivity.ts'
import { operationToken } from '../../lib/ops/machine-plan.ts'
import { bypassName } from '../../lib/ops/netpol-bypass.ts'
import { ciliumTestNamespaces, ciliumVersionArgs } from '../../lib/tools/connectivity.args.ts'
import type { KubeObject, KubePort } from '../../lib/types.ts'
import { holdBasis } from '../flux/holding.ts'
import { suiteOf, suiteOption } from './suite.ts'

/** A pod asks for its answers, and needs the time to start. */
const shortestSec = 10

export const connectivityTest = defineCommand({
  path: 'connectivity test',
  summary: 'Test the network of a cluster from inside, and write down on it what was found',
  description:
    'Starts a probe on each node: names inside and, by the name servers of both sides, split DNS; every route of a Gateway answers with a valid certificate; pods reach the https origins that the settings name; packets of the full MTU pass between nodes in one piece; a pod that nothing allows reaches none of it. LoadBalancer addresses, and the nodes that announce them, are told by Cilium. Where the cilium CLI is on PATH, `cilium connectivity test` runs as well, its namespaces being left out of the default deny for as long. What can not be seen is unproven, never passed. Everything that was made is removed, also after a failure or Ctrl-C; what a killed test has left is removed by the next one. Exit code 3 when a check failed.',
  effect: 'write',
  options: [
    suiteOption,
    {
      flags: '--probe-timeout <duration>',
      description: 'how long a probe may take, half of it to start',
      default: '90s',
    },
    { flags: '--cilium-timeout <duration>', description: 'how long the cilium CLI may take', default: '1h' },
    { flags: '--outside-dns <address>', description: 'name server that tells what the world sees', default: '1.1.1.1' },
  ],
  examples: [
    'k8sops connectivity test --cluster apps',
    'k8sops connectivity test --suite full --cluster infra',
    'k8sops connectivity test --cluster apps --dry-run',
  ],
  runbook: connectivityRunbook,
  async plan(context) {
    const { options } = context
    const windowSec = parseDurationSec(String(options.probeTimeout))
    if (windowSec < shortestSec)
      throw new UsageError(`--probe-timeout ${String(options.probeTimeout)} is shorter than ${shortestSec}s`)
    const timeoutSec = parseDurationSec(String(options.ciliumTimeout))
    const [cluster, target, seen] = await Promise.all([context.cluster(), context.target(), observe(context)])
    const image = cluster.settings.K8SOPS_IMAGE
    if (!image) throw new ConfigError('cluster-settings.yaml names no K8SOPS_IMAGE: what is a probe to run?')
    const now = context.now()
    const token = operationToken('connectivity.test', new Date(now))
    const note = {
      id: token,
      owner: operatorName(),
      reason: 'cilium connectivity test',
      since: wholeSeconds(now),
      until: untilOf(`${timeoutSec + 600}s`, now),
      scope: bypassName({ namespace: ciliumTestNamespaces[0] ?? '' }),
    }
    if (seen.cilium === undefined) context.note(`unproven: ${ciliumCliHint}`)
    const { BIND9_ADDRESS: insideServer, ENVOY_EXTERNAL_IP: outsideAddress } = cluster.settings
    const basis = await holdBasis(context, {
      strays: seen.strays,
      mtu: seen.mtu,
      cilium: seen.cilium ?? 'not on PATH',
      served: [...seen.routes, ...seen.announcements],
    })
    return planConnectivity(
      {
        cluster,
        target,
        strays: seen.strays,
        at: wholeSeconds(now),
        probes: {
          suite: suiteOf(options),
          image,
          token,
          windowSec,
          mtu: seen.mtu,
          egress: originsOf(cluster.settings),
          ...(insideServer ? { insideServer } : {}),
          ...(outsideAddress ? { outsideAddress } : {}),
          outsideServer: textOption(options.outsideDns) ?? '1.1.1.1',
        },
        served: { routes: seen.routes, announcements: seen.announcements },
        ...(seen.cilium === undefined ? {} : { cilium: { junitFile: junitFile(token), note, timeoutSec } }),
      },
      basis,
    )
  },
})

/** Beside runs and locks; relative to the root, where the commands of a plan run. */
const junitFile = (token: string) => `.k8sops/${token.replace('/', '-')}.xml`

/** Where the cluster's own services are, outside it: what its pods have to reach. */
const originsOf = (settings: Record<string, string>): string[] =>
  [
    ...new Set(
      Object.values(settings).flatMap((value) =>
        /^https:\/\//.test(value) && URL.canParse(value) ? new URL(value).origin : [],
      ),
    ),
  ].toSorted()

/** WireGuard's share of each packet between nodes (Cilium 1.19, pkg/mtu). */
const wireguardBytes = 80

async function observe(context: CommandContext) {
  const kube = await context.kube()
  const [namespaces, configuration, routes, gateways, sessions, cilium] = await Promise.all([
    listed(kube, { apiVersion: 'v1', kind: 'Namespace' }, context.signal),
    listed(
      kube,
      { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'kube-system', name: 'cilium-config' },
      context.signal,
    ),
    listed(kube, { apiVersion: 'gateway.networking.k8s.io/v1', kind: 'HTTPRoute' }, context.signal),
    listed(kube, { apiVersion: 'gateway.networking.k8s.io/v1', kind: 'Gateway' }, context.signal),
    listed(kube, { apiVersion: 'cilium.io/v2', kind: 'CiliumBGPNodeConfig' }, context.signal),
    ciliumVersion(context),
  ])
  const { mtu = '0', 'enable-wireguard': wireguard } = configuration?.[0]?.data ?? {}
  return {
    strays: strayNamespaces((namespaces ?? []).map(({ metadata }) => metadata.name)),
    mtu: Number(mtu) > 0 ? Number(mtu) - (wireguard === 'true' ? wireguardBytes : 0) : 0,
    routes: [
      'nodes',
      ...(routes ? ['httproutes.gateway.networking.k8s.io'] : []),
      ...(gateways ? ['gateways.gateway.networking.k8s.io'] : []),
    ],
    announcements: [
      'services',
      'endpointslices.discovery.k8s.io',
      ...(sessions ? ['ciliumbgpnodeconfigs.cilium.io'] : []),
    ],
    cilium,
  }
}

/** Undefined: there is no such kind. @throws UnreachableError */
async function listed(
  kube: KubePort,
  ref: { apiVersion: string; kind: string; namespace?: string; name?: string },
  signal: AbortSignal,
): Promise<KubeObject[] | undefined> {
  const read = await kube.list(ref, signal)
  if (read.ok) return read.value
  if (read.why === 'not-found') return undefined
  throw new UnreachableError(`${ref.kind} can't be read`, { output: read.detail })
}

async function ciliumVersion(context: CommandContext): Promise<string | undefined> {
  const exec = await context.exec()
  try {
    const { exitCode, stdout } = await exec({ pipeline: [ciliumVersionArgs], timeoutSec: 30, signal: context.signal })
    return exitCode === 0 ? (stdout.split('\n')[0] ?? '').trim() : undefined
  } catch (error) {
    // Not on PATH: nobody is asked in its place.
    if (error instanceof ConfigError) return undefined
    throw error
  }
}
