/** Argv for `connectivity test`: kubectl 1.35, the cilium CLI 0.19, and k8sops itself as a filter. */
import type { Command } from '../types.ts'
import { type ConnectivityPart, probeNamespace } from './connectivity-record.args.ts'
import { type HoldNote, noteAnnotations } from './kubectl-hold.args.ts'
import { bypassLabel } from './kubectl-netpol.args.ts'

export type Suite = 'quick' | 'full'

/** What the cilium CLI makes for its tests (connectivity/check/deployment.go). */
export const ciliumTestNamespaces = ['cilium-test-1', 'cilium-test-ccnp1', 'cilium-test-ccnp2']

/** Which of the CLI's tests are quick: that pods, Services, nodes and the world can be reached, and one policy of each direction. */
const quickTests = ['^no-policies$', '^client-ingress$', '^client-egress$', '^all-ingress-deny$', '^all-egress-deny$']

const kubectl = (context: string, args: string[]): Command => ({
  tool: 'kubectl',
  args: ['--context', context, ...args],
})

/** All namespaces, with what has none. @param kinds names as kubectl takes them; each must be served */
export const getAllArgs = (context: string, kinds: string[]): Command =>
  kubectl(context, ['get', kinds.join(','), '-A', '-o', 'json'])

export const getProbesArgs = (context: string): Command =>
  kubectl(context, ['-n', probeNamespace, 'get', 'pods', '-o', 'json'])

export const applyProbesArgs = (context: string): Command =>
  kubectl(context, ['apply', '--server-side', '--field-manager', 'k8sops', '-f', '-'])

export const deleteNamespacesArgs = (context: string, names: string[]): Command =>
  kubectl(context, ['delete', 'namespaces', ...names, '--ignore-not-found', '--wait=false'])

export interface ProbeChoice {
  suite: Suite
  image: string
  token: string
  /** How long a probe may take (seconds). */
  windowSec: number
  /** Bytes of IPv4 and ICMP that have to come through between two nodes in one piece; 0 where nobody knows. */
  mtu: number
  /** Name server of the networks at home. */
  insideServer?: string
  /** Name server of the world. */
  outsideServer: string
  /** Address of the gateway that the world sees. */
  outsideAddress?: string
  /** `https://` origins that pods have to reach. */
  egress: string[]
}

/** Namespace, policies and pods, made out of nodes, routes and gateways on stdin. */
export function probesArgs(choice: ProbeChoice): Command {
  const { suite, image, token, windowSec, mtu, insideServer, outsideServer, outsideAddress, egress } = choice
  const flags = [
    '--suite',
    suite,
    '--image',
    image,
    '--token',
    token,
    '--window',
    `${windowSec}s`,
    '--mtu',
    String(mtu),
  ]
  const inside = insideServer === undefined ? [] : ['--inside-server', insideServer]
  const outside = outsideAddress === undefined ? [] : ['--outside-address', outsideAddress]
  return {
    tool: 'k8sops',
    args: ['connectivity', 'probes', ...flags, ...inside, '--outside-server', outsideServer, ...outside, ...egress],
  }
}

/** The ConfigMap with what one part found, made out of what it left, on stdin. */
export const judgeArgs = (
  part: ConnectivityPart,
  test: { token: string; at: string; suite: Suite },
  more: string[] = [],
): Command => ({
  tool: 'k8sops',
  args: ['connectivity', 'judge', part, '--token', test.token, '--at', test.at, '--suite', test.suite, ...more],
})

/**
 * Its namespaces would be denied everything by ours: they carry a bypass, which is a hold like any other and ends by itself.
 * @param timeoutSec for the whole suite
 */
export function ciliumTestArgs(
  context: string,
  suite: Suite,
  junitFile: string,
  note: HoldNote,
  timeoutSec: number,
): Command {
  const labels = {
    [bypassLabel]: String(Math.floor(Date.parse(note.until) / 1000)),
    'pod-security.kubernetes.io/enforce': 'privileged',
  }
  return {
    tool: 'cilium',
    args: [
      'connectivity',
      'test',
      '--context',
      context,
      '--junit-file',
      junitFile,
      '--timeout',
      `${timeoutSec}s`,
      ...(suite === 'quick' ? ['--test', quickTests.join(',')] : []),
      '--namespace-labels',
      JSON.stringify(labels),
      '--namespace-annotations',
      JSON.stringify(noteAnnotations(note)),
      '--exit-zero-on-failure',
    ],
  }
}

export const ciliumCleanupArgs = (context: string): Command => ({
  tool: 'cilium',
  args: ['connectivity', 'test', '--context', context, '--cleanup'],
})

export const ciliumVersionArgs: Command = { tool: 'cilium', args: ['version', '--client'] }
