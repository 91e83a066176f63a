/** A machine's life: power on, maintenance or boot, running, and what a sequence leaves behind (machined/main.go, v1.12.0). */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { networkAtBoot } from '../network.ts'
import { bootPhases, installPhases, stagedInstallPhases, wipeRecord } from './phases.ts'
import type { TalosSystem } from './record.ts'
import { startService } from './services.ts'
import type { Restart, SimulatedMachine } from './simulated-machine.ts'

/** How this life begins: `continue` after the supervisor was away and the machine wasn't. */
type Beginning = 'boot' | 'boot-upgraded' | 'continue' | 'install' | 'off'

export interface Lifecycle {
  /** Begins with what the record says was left to be done. */
  start(): Promise<void>
  /** The supervisor ends: nothing of the record changes any more. */
  stop(): void
  restart(how: Restart): void
  /** Aborted when the boot of the moment ends. */
  gone(): AbortSignal
  configure(source: string): void
  powerOn(): void
}

/**
 * talosctl looks for the machine again one second after `stopAllServices`. It then has to find nobody there, or it waits
 * for events that have been (action/node.go, v1.12.0): whatever the pace, a reboot takes at least this long.
 */
const shortestRebootMs = 1_500

/** Seconds at pace 1; a boot takes about four of them. */
const seconds = { firmware: 1, initialize: 0.6, fatalErrorPause: 10 }

const maintenanceLingerMs = 300

export function createLifecycle(machine: SimulatedMachine, medium: TalosSystem): Lifecycle {
  const { record } = machine
  const stopped = new AbortController()
  let boot = { abort: new AbortController(), ended: Promise.withResolvers<Restart>() }
  let configured = Promise.withResolvers<string>()
  let powered = Promise.withResolvers<void>()
  let wentDownAt = 0

  const factor = () => Number(machine.fault('slow-boot') ? (machine.fault('slow-boot')?.params?.factor ?? 5) : 1)

  /** Runs until a sequence asks for a reboot or the power goes. */
  async function live(beginning: Beginning): Promise<Restart> {
    boot = { abort: new AbortController(), ended: Promise.withResolvers<Restart>() }
    const signal = AbortSignal.any([boot.abort.signal, stopped.signal])
    begin(beginning, signal).catch((error: unknown) => {
      if (!signal.aborted) machine.lab.log('talos', `${machine.spec.address}: ${error}`)
    })
    const how = await boot.ended.promise
    boot.abort.abort()
    machine.sequencer.cancel()
    if (stopped.signal.aborted) return how
    await machine.endpoint.offer('closed')
    wentDownAt = Date.now()
    machine.events.close()
    machine.kernelLog.clear()
    machine.services.clear()
    return how
  }

  async function begin(beginning: Beginning, signal: AbortSignal): Promise<void> {
    if (beginning === 'continue') return continueRunning(signal)
    if (beginning === 'install') return install(record.activeConfig ?? '', signal)
    machine.setDown(true)
    machine.setStage('rebooting')
    const firmwareMs = seconds.firmware * 1000 * factor() * machine.lab.spec.pace
    const missingMs = Math.max(firmwareMs, wentDownAt + shortestRebootMs - Date.now())
    await delay(missingMs, undefined, { signal }).catch(() => undefined)
    const upgraded = beginning === 'boot-upgraded'
    await machine.until(
      () => !machine.fault('node-never-boots') && !(upgraded && machine.fault('node-never-returns')),
      signal,
    )
    if (signal.aborted) return
    if (upgraded) maybeRollBack()
    machine.forgetConfig()
    delete record.pending
    networkAtBoot(machine.lab, machine.spec.address)
    Object.assign(record, { powered: true, bootId: randomUUID(), bootedAt: new Date().toISOString() })
    record.running = record.disk?.boot ?? medium
    // What was told on the way down belongs to the boot before: talosctl replays this boot's events only.
    machine.events.close()
    machine.setStage('booting')
    const initialize = (wait: AbortSignal) => machine.pause(seconds.initialize * factor(), wait)
    await machine.sequencer.run('initialize', [{ phase: 'config', task: 'loadConfig', run: initialize }])
    if (signal.aborted) return
    for (const id of ['machined', 'containerd', 'udevd', 'auditd', 'syslogd', 'dashboard'])
      startService(machine.services, id)
    if (record.persistedConfig === undefined || !record.disk) return maintenance(signal)
    machine.setConfig(record.persistedConfig, false)
    if (record.stagedUpgrade !== undefined) return installStaged(record.stagedUpgrade)
    await bootConfigured(signal)
  }

  /** The A/B scheme: a new system that doesn't come up leaves the machine on the old one. */
  function maybeRollBack(): void {
    const { disk } = record
    if (!machine.fault('upgrade-rolls-back') || !disk?.fallback) return
    record.disk = { device: disk.device, boot: disk.fallback, fallback: disk.boot }
  }

  async function maintenance(signal: AbortSignal): Promise<void> {
    configured = Promise.withResolvers<string>()
    await machine.endpoint.offer('maintenance')
    machine.setStage('maintenance')
    const source = await configured.promise
    // The maintenance service answers a little longer than it takes to accept a config (turing-rk1#39); not scaled, since
    // the answer to the very call that brought the config has to get out.
    await delay(maintenanceLingerMs, undefined, { signal }).catch(() => undefined)
    if (signal.aborted) return
    await machine.endpoint.offer('closed')
    machine.setConfig(source, record.disk !== undefined)
    if (record.disk) return bootConfigured(signal)
    await install(source, signal)
  }

  async function install(source: string, signal: AbortSignal): Promise<void> {
    if (machine.machine.config === undefined) machine.setConfig(source, false)
    record.pending = { kind: 'install' }
    machine.setStage('installing')
    const outcome = await machine.sequencer.run('install', installPhases(machine, source))
    if (outcome === 'failed') await fatal(signal)
  }

  async function installStaged(image: string): Promise<void> {
    delete record.stagedUpgrade
    machine.setStage('installing')
    try {
      // The boot that follows is the first one of the new system, and may fail like any other.
      record.pending = { kind: 'upgrade', image }
      await machine.sequencer.run('install', stagedInstallPhases(machine, machine.fleet.images.pull(image)))
    } catch (error) {
      delete record.pending
      machine.kernelLog.write(`staged upgrade failed: ${error}`)
      machine.restart('reboot')
    }
  }

  async function bootConfigured(signal: AbortSignal): Promise<void> {
    machine.setStage('booting')
    if (!(await openApi(signal))) return
    const outcome = await machine.sequencer.run('boot', bootPhases(machine, factor()))
    if (outcome === 'failed') return fatal(signal)
    if (outcome !== 'done' || signal.aborted) return
    machine.setStage('running')
    await machine.fleet.nodes.uncordon(machine.machine.config?.hostname ?? '').catch((error: unknown) => {
      machine.kernelLog.write(`failed to uncordon: ${error}`)
    })
  }

  /** A worker's certificate comes from a control plane's trustd: until one is there, its port stays closed. */
  async function openApi(signal: AbortSignal): Promise<boolean> {
    machine.services.set('apid', 'Waiting', { message: 'Waiting for api certificates' })
    await machine.until(() => machine.signer() !== undefined, signal)
    if (signal.aborted) return false
    await machine.endpoint.offer('secure')
    startService(machine.services, 'apid')
    return true
  }

  /** The supervisor was away, the machine was not: same boot, same services. */
  async function continueRunning(signal: AbortSignal): Promise<void> {
    machine.setConfig(record.activeConfig ?? record.persistedConfig ?? '', false)
    const controlPlane = machine.machine.config?.role === 'controlplane'
    const own = [
      'machined',
      'containerd',
      'udevd',
      'auditd',
      'syslogd',
      'dashboard',
      'cri',
      ...(controlPlane ? ['trustd'] : []),
    ]
    for (const id of own) startService(machine.services, id)
    if (!(await openApi(signal))) return
    machine.setDown(false)
    await machine.cluster.machineUp(machine.machine)
    machine.changed()
  }

  /** machined's answer to a fatal sequence error: a reboot after ten seconds. */
  async function fatal(signal: AbortSignal): Promise<void> {
    await machine.pause(seconds.fatalErrorPause, signal)
    if (!signal.aborted) machine.restart('reboot')
  }

  function finishUpgrade(image: string): void {
    const { disk, running } = record
    if (!disk || disk.boot.image === image) return
    try {
      record.disk = { device: disk.device, boot: machine.fleet.images.pull(image), fallback: running }
    } catch (error) {
      machine.kernelLog.write(`upgrade failed: ${error}`)
    }
  }

  /** Finishes what the supervisor's end cut off, as far as it concerns the disk. */
  async function beginning(): Promise<Beginning> {
    const { pending } = record
    delete record.pending
    if (!record.powered) return 'off'
    switch (pending?.kind) {
      case 'install':
        return record.activeConfig === undefined || record.disk ? 'boot' : 'install'
      case 'shutdown':
        return 'off'
      case 'upgrade':
        finishUpgrade(pending.image)
        return 'boot-upgraded'
      case 'reset': {
        const labels = [...(pending.wipeState ? ['STATE'] : []), ...(pending.wipeEphemeral ? ['EPHEMERAL'] : [])]
        wipeRecord(machine, pending.wipeDisk ? 'disk' : labels)
        if (pending.wipeDisk || pending.wipeEphemeral) await machine.cluster.machineWiped(machine.machine)
        return pending.reboot ? 'boot' : 'off'
      }
      default:
        return record.stage === 'running' && record.persistedConfig !== undefined && !pending ? 'continue' : 'boot'
    }
  }

  return {
    async start() {
      let next = await beginning()
      while (!stopped.signal.aborted) {
        if (next === 'off') {
          record.powered = false
          machine.setDown(true)
          machine.setStage('shutting down')
          powered = Promise.withResolvers<void>()
          await powered.promise
          if (stopped.signal.aborted) return
          record.powered = true
          next = 'boot'
        }
        const how = await live(next)
        const { pending } = record
        next = how === 'power-off' ? 'off' : pending?.kind === 'upgrade' ? 'boot-upgraded' : 'boot'
      }
    },
    stop() {
      stopped.abort()
      boot.ended.resolve('power-off')
      powered.resolve()
    },
    restart: (how) => boot.ended.resolve(how),
    gone: () => boot.abort.signal,
    configure: (source) => configured.resolve(source),
    powerOn: () => powered.resolve(),
  }
}
