/**
 * `dr run`: a cluster out of Git, its backups and 1Password. It is a bootstrap, with two things in it: a database is there, as one that is
 * recovered from its archive, before Flux could make an empty one; and volumes, which fill themselves when Flux makes them, are waited for.
 */
import { clusterHealthy } from '../gates/lifecycle-sets.ts'
import { beginningArgs, renderKustomizationArgs, selectKindArgs } from '../tools/filters.args.ts'
import { applyStdinArgs } from '../tools/kubectl.args.ts'
import { annotateDatabaseArgs } from '../tools/kubectl-cnpg.args.ts'
import { applyInArgs, restoreKeys } from '../tools/kubectl-volsync.args.ts'
import { wipeDisksArgs } from '../tools/talosctl.args.ts'
import type { Basis, Plan, Step } from '../types.ts'
import { preflight } from './bootstrap.ts'
import { clusterSteps } from './bootstrap-cluster.ts'
import { type BootstrapInput, check, whileApiIsAway } from './bootstrap-input.ts'
import { machineSteps } from './bootstrap-machines.ts'
import { releaseSteps } from './bootstrap-releases.ts'
import { cnpgRunbook } from './cnpg.ts'
import type { Recovery } from './cnpg-recovery.ts'
import { backupStep, databaseStep, recoveredCheck } from './cnpg-restore.ts'
import type { Contents, DeclaredDatabase, DeclaredVolume } from './dr-contents.ts'
import { recoveryTargetSec } from './dr-estimate.ts'
import { planOf } from './machine-plan.ts'
import { recoveryRunbook, type UsedMachine } from './used-machines.ts'
import { expectedSeconds } from './volsync-destination.ts'
import { syncedCheck } from './volsync-sync.ts'

export const recoveryOperation = 'dr.run'

export interface RecoveryInput extends BootstrapInput {
  contents: Contents
  /** What is to be recovered, and from which archive. Those that are not among them begin empty, or are there already. */
  recoveries: {
    database: DeclaredDatabase
    recovery: Recovery
    /** When it began (RFC 3339); stands on the database as the time of its last restore. */
    at: string
  }[]
  /** What is wiped; the operator has named the cluster for it. */
  used: UsedMachine[]
  /** How long all restores may take. */
  restoreSec: number
}

export function planRecovery(input: RecoveryInput, basis: Basis): Plan {
  const { cluster, contents, recoveries, used, restoreSec } = input
  const releases = releaseSteps(input)
  const before = releases.slice(0, -1)
  const reconciled = releases.slice(-1).map((step) => ({ ...step, timeoutSec: Math.max(step.timeoutSec, restoreSec) }))
  const params = {
    databases: recoveries.map(({ database, recovery }) => ({
      database: `${database.namespace}/${database.name}`,
      token: recovery.token,
      from: recovery.from,
      archive: recovery.archive,
      at: recovery.at ?? null,
    })),
    volumes: contents.volumes.map(({ namespace, name }) => `${namespace}/${name}`),
    wiped: used.flatMap(({ node, disks }) => disks.map(({ device }) => `${node.hostname}: ${device}`)),
    nodeTimeoutSec: input.params.nodeTimeoutSec,
  }
  return {
    ...planOf({ operation: recoveryOperation, cluster: cluster.name, params }, basis, [
      preflight(),
      ...used.map(wipeStep),
      ...machineSteps(input),
      ...clusterSteps(input),
      ...(recoveries.length > 0 ? [namespacesStep(input)] : []),
      ...recoveries.map((one) => beginStep(input, one)),
      ...before,
      ...recoveries.map((one) => recoveredStep(input, one)),
      ...contents.volumes.map((volume) => filledStep(input, volume)),
      ...reconciled,
      applicationsStep(input),
      ...recoveries.flatMap((one) => provenSteps(input, one)),
      healthyStep(input),
    ]),
    targetSec: recoveryTargetSec,
  }
}

const frame = (id: string, title: string, timeoutSec: number, runbook = recoveryRunbook) => ({
  id,
  title,
  interrupt: 'now' as const,
  timeoutSec,
  runbook,
})

/** Only while the machine has no config: afterwards its disks are those of the cluster that is being made. */
function wipeStep({ node, disks }: UsedMachine): Step {
  const unused = [check('disks-unused', { nodes: node.address })]
  const devices = disks.map(({ device }) => device)
  return {
    ...frame(`${node.hostname}/wipe-disks`, `Wipe ${devices.join(' and ')} of ${node.hostname}`, 600),
    unless: unused,
    require: [check('node-state', { nodes: node.address, in: 'maintenance' })],
    action: { kind: 'exec', pipeline: [wipeDisksArgs(node.address, devices)] },
    verify: unused,
    interrupt: 'after',
    group: 'wipe-disks',
  }
}

/** Namespaces as Flux will apply them: databases are there before it. */
function namespacesStep({ cluster, target, contents }: RecoveryInput): Step {
  const there = [check('namespace-present', { names: contents.namespaces.join(',') })]
  const [owner = ''] = contents.namespaceOwners
  return {
    ...frame('namespaces/apply', `Apply the ${contents.namespaces.length} namespaces`, 120),
    unless: there,
    action: {
      kind: 'exec',
      pipeline: [
        renderKustomizationArgs(cluster.name, owner),
        selectKindArgs('Namespace'),
        applyStdinArgs(target.context),
      ],
      retry: whileApiIsAway(cluster.endpoint),
    },
    verify: there,
  }
}

type One = RecoveryInput['recoveries'][0]

/** What its operator finds when it comes. Somebody else's Cluster of that name is not made into ours. */
function beginStep({ cluster, target }: RecoveryInput, { database, recovery }: One): Step {
  const place = { namespace: database.namespace, name: database.name }
  const until = recovery.at === undefined ? 'the end of' : `${recovery.at} from`
  const title = `Have ${place.namespace}/${place.name} begin as ${until} archive ${recovery.from}`
  return {
    ...databaseStep({ cluster, database: place }, 'begin', title, {
      pipeline: [
        renderKustomizationArgs(cluster.name, database.kustomization),
        beginningArgs(place, recovery),
        applyInArgs(target.context, place.namespace),
      ],
      done: check('cnpg-restored-by', { ...place, token: recovery.token }),
      timeoutSec: 120,
    }),
    require: [check('cnpg-predecessor-gone', { ...place, token: recovery.token })],
  }
}

function recoveredStep({ restoreSec }: RecoveryInput, { database, recovery }: One): Step {
  const place = { namespace: database.namespace, name: database.name }
  return {
    ...frame(
      `${place.namespace}.${place.name}/recovered`,
      `Wait until ${place.namespace}/${place.name} is recovered`,
      restoreSec,
      cnpgRunbook,
    ),
    action: { kind: 'wait' },
    verify: [recoveredCheck(place, recovery.token, expectedSeconds(database.bytes))],
    group: 'restores',
  }
}

function filledStep({ restoreSec }: RecoveryInput, volume: DeclaredVolume): Step {
  const { namespace, name, destination, trigger, bytes } = volume
  const place = { namespace, name: destination }
  return {
    ...frame(
      `${namespace}.${name}/filled`,
      `Wait until volume ${namespace}/${name} is filled from its newest backup`,
      restoreSec,
      'docs/runbooks/volsync.md',
    ),
    action: { kind: 'wait' },
    verify: [syncedCheck('ReplicationDestination', place, trigger, String(expectedSeconds(bytes)))],
    group: 'restores',
  }
}

/** Those that depend on others come later: Flux keeps the order. */
function applicationsStep({ contents, restoreSec }: RecoveryInput): Step {
  return {
    ...frame(
      'applications/ready',
      'Wait until every application is Ready on what was restored',
      restoreSec,
      'docs/runbooks/flux.md',
    ),
    action: { kind: 'wait' },
    verify: [check('kustomizations-ready', { names: contents.kustomizations.join(',') })],
  }
}

function provenSteps(input: RecoveryInput, { database, recovery, at }: One): Step[] {
  const place = { namespace: database.namespace, name: database.name }
  const common = { cluster: input.cluster, target: input.target, database: place, recovery, expectSec: undefined }
  const limits = { recoverySec: input.restoreSec, podsSec: 900 }
  const proven = check('cnpg-restore-proven', { ...place, at })
  return [
    ...(database.schedule === null
      ? []
      : [
          backupStep(
            { ...common, schedule: database.schedule, limits },
            'backup',
            'Make the first base backup of its new archive',
          ),
        ]),
    databaseStep(common, 'proven', 'Write down that its clients were Ready on what was recovered', {
      pipeline: [annotateDatabaseArgs(input.target.context, place, { [restoreKeys.at]: at })],
      done: proven,
    }),
  ]
}

function healthyStep({ cluster }: RecoveryInput): Step {
  return {
    ...frame('cluster/check', 'Check that machines, etcd, nodes, storage, Flux and backups are well', 1800),
    action: { kind: 'wait' },
    verify: clusterHealthy(cluster),
  }
}
