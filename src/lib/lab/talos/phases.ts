/**
 * The phases of Talos's sequences (v1alpha1_sequencer.go, v1.12.0). Names and order are Talos's; what a phase does is
 * simulated, except for what touches the cluster: cordon, eviction, etcd membership, node and etcd coming and going.
 */

import { upgradeProblem } from './images.ts'
import { leaveCluster } from './methods-etcd.ts'
import type { TalosSystem } from './record.ts'
import { systemDiskOf } from './resources.ts'
import type { Phase } from './sequencer.ts'
import { allServicesUp, startService } from './services.ts'
import type { SimulatedMachine } from './simulated-machine.ts'

type Why = Parameters<SimulatedMachine['cluster']['machineDown']>[1]

/** A phase that only takes time. */
function idle(machine: SimulatedMachine, phase: string, task: string, seconds: number): Phase {
  return { phase, task, run: (signal) => machine.pause(seconds, signal) }
}

function drain(machine: SimulatedMachine): Phase {
  return {
    phase: 'drain',
    task: 'cordonAndDrainNode',
    async run(signal) {
      const name = machine.machine.config?.hostname ?? ''
      // A node that never joined has no kubelet certificate: nothing to drain.
      if (!machine.lab.apiUp || !machine.fleet.nodes.facts(name)) return
      await machine.fleet.nodes.cordon(name)
      const limit = new AbortController()
      const deadline = setTimeout(() => limit.abort(), 300_000 * machine.lab.spec.pace)
      try {
        await machine.fleet.nodes.drain(name, 5_000 * machine.lab.spec.pace, AbortSignal.any([signal, limit.signal]))
      } catch (error) {
        // Talos logs what a disruption budget held back and goes on.
        machine.kernelLog.write(`WARNING: failed to evict pod: ${error}`)
      } finally {
        clearTimeout(deadline)
      }
    },
  }
}

/** kubelet and etcd stop: the node stops reporting. */
function stopServices(machine: SimulatedMachine, why: Why): Phase {
  return {
    phase: 'stopServices',
    task: 'stopServicesForUpgrade',
    async run(signal) {
      for (const id of ['kubelet', 'etcd', 'cri', 'trustd']) {
        if (machine.services.get(id)) machine.services.set(id, 'Finished')
      }
      machine.setDown(true)
      await machine.cluster.machineDown(machine.machine, why)
      await machine.pause(0.2, signal)
    },
  }
}

function unmounts(machine: SimulatedMachine): Phase[] {
  return [
    idle(machine, 'umount', 'unmountPodMounts', 0.02),
    idle(machine, 'unmountBind', 'unmountSystemDiskBindMounts', 0.02),
    idle(machine, 'unmountSystem', 'unmountEphemeralPartition', 0.02),
    idle(machine, 'volumeFinalize', 'teardownLifecycle', 0.02),
  ]
}

function stopEverything(machine: SimulatedMachine): Phase {
  return {
    phase: 'stopEverything',
    task: 'stopAllServices',
    async run(signal) {
      for (const { id } of machine.services.list()) machine.services.set(id, 'Finished')
      await machine.pause(0.4, signal)
    },
  }
}

/** The end of every sequence that leaves this boot. */
function leaveBoot(machine: SimulatedMachine, how: 'reboot' | 'power-off'): Phase {
  return {
    phase: how === 'reboot' ? 'reboot' : 'shutdown',
    task: how === 'reboot' ? 'reboot' : 'shutdown',
    async run() {
      machine.restart(how)
    },
  }
}

/** @param mode 0 default, 1 power cycle, 2 force (machine.RebootRequest) */
export function rebootPhases(machine: SimulatedMachine, mode: number): Phase[] {
  if (mode === 2) return [down(machine, 'reboot'), leaveBoot(machine, 'reboot')]
  return [
    idle(machine, 'cleanup', 'stopAllPods', 0.1),
    idle(machine, 'dbus', 'stopDBus', 0),
    stopServices(machine, 'reboot'),
    ...unmounts(machine),
    ...(mode === 0 ? [idle(machine, 'kexec', 'kexecPrepare', 0.05)] : []),
    stopEverything(machine),
    leaveBoot(machine, 'reboot'),
  ]
}

/** A forced reboot stops nothing in order; the rest of the lab still has to see the machine go. */
function down(machine: SimulatedMachine, why: Why): Phase {
  return { ...stopServices(machine, why), phase: 'reboot', task: 'reboot' }
}

export function shutdownPhases(machine: SimulatedMachine, force: boolean): Phase[] {
  return [
    idle(machine, 'storeShutdown', 'storeShutdownEmergency', 0),
    ...(force ? [] : [drain(machine)]),
    idle(machine, 'cleanup', 'stopAllPods', 0.1),
    idle(machine, 'dbus', 'stopDBus', 0),
    stopServices(machine, 'shutdown'),
    ...unmounts(machine),
    stopEverything(machine),
    leaveBoot(machine, 'power-off'),
  ]
}

export function upgradePhases(machine: SimulatedMachine, system: TalosSystem, powerCycle: boolean): Phase[] {
  return [
    drain(machine),
    idle(machine, 'cleanup', 'stopAllPods', 0.1),
    idle(machine, 'dbus', 'stopDBus', 0),
    stopServices(machine, 'upgrade'),
    ...unmounts(machine),
    { phase: 'upgrade', task: 'upgrade', run: (signal) => installSystem(machine, system, signal) },
    idle(machine, 'meta', 'reloadMeta', 0),
    ...(powerCycle ? [] : [idle(machine, 'kexec', 'kexecPrepare', 0.05)]),
    stopEverything(machine),
    leaveBoot(machine, 'reboot'),
  ]
}

/** `upgrade --stage`: no drain; the image is installed at the next boot. */
export function stageUpgradePhases(machine: SimulatedMachine, powerCycle: boolean): Phase[] {
  return [
    idle(machine, 'cleanup', 'stopAllPods', 0.1),
    idle(machine, 'dbus', 'stopDBus', 0),
    stopServices(machine, 'upgrade'),
    ...unmounts(machine),
    ...(powerCycle ? [] : [idle(machine, 'kexec', 'kexecPrepare', 0.05)]),
    stopEverything(machine),
    leaveBoot(machine, 'reboot'),
  ]
}

/** Writes a system to the other boot entry; the one that runs now becomes the fallback. */
export async function installSystem(
  machine: SimulatedMachine,
  system: TalosSystem,
  signal: AbortSignal,
): Promise<void> {
  const { record } = machine
  if (!record.disk) throw new Error('system disk not found')
  const problem = upgradeProblem(record.running.version, system.version)
  if (problem) throw new Error(`error running installer preflight checks: ${problem}`)
  machine.kernelLog.write(`performing upgrade via ${JSON.stringify(system.image)}`)
  await machine.pause(1, signal)
  if (signal.aborted) return
  record.disk = { device: record.disk.device, boot: system, fallback: record.running }
  machine.changed()
}

export interface ResetOptions {
  graceful: boolean
  reboot: boolean
  /** The whole system disk, or labels of its partitions; neither for `--wipe-mode user-disks`. */
  wipe: 'disk' | string[]
}

export function resetPhases(machine: SimulatedMachine, options: ResetOptions): Phase[] {
  const { graceful, reboot, wipe } = options
  const controlPlane = machine.machine.config?.role === 'controlplane'
  const wipesData = wipe === 'disk' || wipe.includes('EPHEMERAL')
  return [
    ...(graceful ? [{ ...drain(machine), tolerant: true }] : []),
    { ...idle(machine, 'cleanup', graceful ? 'removeAllPods' : 'stopAllPods', 0.1), tolerant: true },
    idle(machine, 'dbus', 'stopDBus', 0),
    ...(graceful && controlPlane ? [leaveEtcd(machine)] : []),
    idle(machine, 'preReset', 'sendResetSignal', 0),
    { ...stopServices(machine, 'reset'), tolerant: true },
    ...unmounts(machine),
    stopEverything(machine),
    idle(machine, 'forceCleanup', 'forceCleanup', 0),
    {
      phase: wipe === 'disk' ? 'reset' : 'resetSpec',
      task: wipe === 'disk' ? 'resetSystemDisk' : 'resetSystemDiskSpec',
      async run(signal) {
        await machine.pause(0.3, signal)
        wipeRecord(machine, wipe)
        if (wipesData) await machine.cluster.machineWiped(machine.machine)
      },
    },
    leaveBoot(machine, reboot ? 'reboot' : 'power-off'),
  ]
}

function leaveEtcd(machine: SimulatedMachine): Phase {
  return {
    phase: 'leave',
    task: 'leaveEtcd',
    async run() {
      const etcd = machine.services.get('etcd')
      if (!machine.cluster.hasEtcdData(machine.machine)) return
      if (etcd?.state === 'Running' || etcd?.state === 'Stopping' || etcd?.state === 'Failed')
        await leaveCluster(machine)
    },
  }
}

/** What a wipe leaves: without its disk a machine boots the medium, without STATE it asks for a configuration. */
export function wipeRecord(machine: SimulatedMachine, wipe: 'disk' | string[]): void {
  const { record } = machine
  if (wipe === 'disk') delete record.disk
  if (wipe === 'disk' || wipe.includes('STATE')) {
    delete record.persistedConfig
    delete record.activeConfig
  }
  if (wipe === 'disk' || wipe.includes('META')) delete record.stagedUpgrade
  machine.changed()
}

/** The first installation, out of maintenance mode. */
export function installPhases(machine: SimulatedMachine, source: string): Phase[] {
  return [
    idle(machine, 'env', 'setUserEnvVars', 0),
    {
      phase: 'install',
      task: 'install',
      async run(signal) {
        const choice = systemDiskOf(machine)
        if ('problem' in choice) throw new Error(choice.problem)
        const system = machine.fleet.images.pull(machine.machine.config?.installImage ?? '')
        machine.kernelLog.write(`installing Talos to disk ${choice.disk.path}`)
        await machine.pause(1.2, signal)
        machine.record.disk = { device: choice.disk.path, boot: system }
        machine.record.persistedConfig = source
        machine.changed()
      },
    },
    idle(machine, 'saveMeta', 'flushMeta', 0),
    idle(machine, 'volumeFinalize', 'teardownLifecycle', 0),
    stopEverything(machine),
    idle(machine, 'kexec', 'kexecPrepare', 0.05),
    leaveBoot(machine, 'reboot'),
  ]
}

/** `upgrade --stage`, second half: at the boot after the request. */
export function stagedInstallPhases(machine: SimulatedMachine, system: TalosSystem): Phase[] {
  return [
    { phase: 'install', task: 'install', run: (signal) => installSystem(machine, system, signal) },
    idle(machine, 'meta', 'reloadMeta', 0),
    stopEverything(machine),
    idle(machine, 'kexec', 'kexecPrepare', 0.05),
    leaveBoot(machine, 'reboot'),
  ]
}

export function bootPhases(machine: SimulatedMachine, factor: number): Phase[] {
  const controlPlane = machine.machine.config?.role === 'controlplane'
  return [
    idle(machine, 'memorySizeCheck', 'memorySizeCheck', 0),
    idle(machine, 'diskSizeCheck', 'diskSizeCheck', 0),
    idle(machine, 'env', 'setUserEnvVars', 0),
    idle(machine, 'dbus', 'startDBus', 0),
    idle(machine, 'ephemeral', 'mountEphemeralPartition', 0.3 * factor),
    idle(machine, 'udevSetup', 'writeUdevRules', 0),
    idle(machine, 'userDisks', 'mountUserDisks', 0),
    idle(machine, 'userSetup', 'writeUserFiles', 0),
    {
      phase: 'startEverything',
      task: 'startAllServices',
      async run(signal) {
        await machine.pause(0.4 * factor, signal)
        if (signal.aborted) return
        startService(machine.services, 'cri')
        if (controlPlane) startService(machine.services, 'trustd')
        machine.setDown(false)
        await machine.cluster.machineUp(machine.machine)
        await machine.until(() => allServicesUp(machine.services, controlPlane), signal)
      },
    },
  ]
}
