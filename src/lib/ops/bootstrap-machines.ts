/** Bootstrap's first part: configs, machines, etcd. */
import { ConfigError } from '../errors.ts'
import { layout } from '../repo/layout.ts'
import { genconfigArgs } from '../tools/talhelper.args.ts'
import { applyConfigInsecureArgs, bootstrapArgs } from '../tools/talosctl.args.ts'
import type { Cluster, ClusterNode, Step } from '../types.ts'
import { type BootstrapInput, bootstrapRunbook, check } from './bootstrap-input.ts'

/**
 * What `talosctl bootstrap` says while it is too early (reference talos.md 1.3): the container runtime or the clock
 * isn't up, or the machine is still on its way. Everything else stops the run.
 */
export const tooEarly = [
  'bootstrap is not available yet',
  'time is not in sync yet',
  'code = Unavailable',
  'connection refused',
  'not implemented in maintenance mode',
]

export function machineSteps(input: BootstrapInput): Step[] {
  const { cluster, target, params } = input
  const addresses = cluster.nodes.map(({ address }) => address).join(',')
  // A worker gets its certificate from a control plane, and its port stays closed until there is one (Talos 1.12, trustd): a
  // run that died with nothing but a worker configured would find a machine that never answers, as if it were off.
  const controlPlanesFirst = cluster.nodes.toSorted((a, b) => Number(b.controlPlane) - Number(a.controlPlane))
  return [
    generateConfigs(input),
    {
      id: 'machines/answer',
      title: `Wait until all ${cluster.nodes.length} machines answer, and their disks are free`,
      action: { kind: 'wait' },
      verify: [
        check('node-state', { nodes: addresses, in: 'maintenance,ours' }),
        check('disks-unused', { nodes: addresses }),
      ],
      interrupt: 'now',
      timeoutSec: params.nodeTimeoutSec,
      runbook: bootstrapRunbook,
    },
    ...controlPlanesFirst.map((node) => firstConfig({ cluster, nodeTimeoutSec: params.nodeTimeoutSec }, node)),
    ...etcdSteps(
      cluster.nodes.filter((node) => node.controlPlane),
      target.talosconfig,
      params.nodeTimeoutSec,
    ),
  ]
}

export const configFile = (cluster: string, node: ClusterNode) =>
  `${layout.clusterconfig(cluster)}/${cluster}-${node.hostname}.yaml`

/** The step of `k8sops talos gen`, too. */
export function generateConfigs({ cluster, ageKey }: Pick<BootstrapInput, 'cluster' | 'ageKey'>): Step {
  const paths = {
    talconfig: layout.talconfig(cluster.name),
    talsecret: layout.talsecret(cluster.name),
    out: layout.clusterconfig(cluster.name),
  }
  return {
    id: 'talos/genconfig',
    title: 'Generate the machine configs',
    action: { kind: 'exec', pipeline: [genconfigArgs(paths, ageKey)] },
    unless: [check('talos-config-current')],
    // Without secrets that it can read talhelper 3.1 makes a new PKI, and says so with exit code 0.
    require: [check('talsecret-decrypts')],
    verify: [
      check('talos-config-current'),
      check('talos-config-valid', { files: cluster.nodes.map((node) => configFile(cluster.name, node)).join(',') }),
    ],
    interrupt: 'now',
    timeoutSec: 120,
    runbook: bootstrapRunbook,
  }
}

/** Control planes side by side, then workers side by side: each machine installs and reboots for minutes. */
export function firstConfig(
  { cluster, nodeTimeoutSec }: { cluster: Cluster; nodeTimeoutSec: number },
  node: ClusterNode,
): Step {
  return {
    id: `${node.hostname}/apply-config`,
    title: `Configure ${node.hostname} (${node.controlPlane ? 'control plane' : 'worker'})`,
    // A machine that answers with our certificates is configured; a new config for it is `k8sops talos apply`'s business.
    unless: [check('node-state', { nodes: node.address, in: 'ours' })],
    action: {
      kind: 'exec',
      pipeline: [applyConfigInsecureArgs(node.address, configFile(cluster.name, node))],
      // The maintenance service ends once it has the config, now and then before its answer is out.
      accept: ['error reading from server: EOF'],
    },
    verify: [check('machine-configured', { node: node.address })],
    interrupt: 'after',
    timeoutSec: nodeTimeoutSec,
    group: node.controlPlane ? 'configure-control-planes' : 'configure-workers',
    runbook: bootstrapRunbook,
  }
}

/**
 * Always on the first control plane of talconfig.yaml, and only when no control plane has an etcd: never a second cluster.
 * That all of them have joined is a step of its own, because it has to hold as well when somebody else bootstrapped.
 */
function etcdSteps(controlPlanes: ClusterNode[], talosconfig: string, timeoutSec: number): Step[] {
  const [first] = controlPlanes
  if (!first) throw new ConfigError('talconfig.yaml has no control plane')
  const nodes = controlPlanes.map(({ address }) => address).join(',')
  const members = controlPlanes.map(({ hostname }) => hostname).join(',')
  return [
    {
      id: 'etcd/bootstrap',
      title: `Bootstrap etcd on ${first.hostname}`,
      unless: [check('etcd-bootstrapped', { nodes })],
      require: [check('etcd-absent', { nodes }), check('time-synced', { node: first.address })],
      action: {
        kind: 'exec',
        pipeline: [bootstrapArgs(talosconfig, first.address)],
        retry: { while: tooEarly, everySec: 2 },
        // A call that was cut off has reached the machine, and etcd is on its way; or the machine holds old data.
        accept: ['code = AlreadyExists'],
      },
      verify: [check('etcd-bootstrapped', { nodes })],
      interrupt: 'after',
      timeoutSec,
      runbook: bootstrapRunbook,
    },
    {
      id: 'etcd/quorum',
      title: `Wait until all ${controlPlanes.length} control planes are members of one etcd`,
      action: { kind: 'wait' },
      verify: [check('etcd-quorum', { nodes, members })],
      interrupt: 'now',
      timeoutSec,
      runbook: bootstrapRunbook,
    },
  ]
}
