/** ApplyConfiguration, in maintenance mode (maintenance/server.go) and on a configured machine (v1alpha1_server.go). */
import { join } from 'node:path'
import { diffText, immediateProblem } from './config-diff.ts'
import { rebootPhases } from './phases.ts'
import { type Method, unary } from './rpc.ts'
import { inMaintenance, type SimulatedMachine } from './simulated-machine.ts'
import { StatusError } from './status.ts'
import { type Validation, validateConfig } from './validation.ts'

interface ApplyRequest {
  data: Buffer
  mode: number
  dryRun: boolean
  tryModeTimeout: { seconds: string; nanos: number } | null
}

const mode = { reboot: 0, auto: 1, noReboot: 2, staged: 3, try: 4 } as const
const modeNames = ['reboot', 'auto', 'no-reboot', 'staged', 'try']

export const applyConfigMethods: Method[] = [
  unary<ApplyRequest>('/machine.MachineService/ApplyConfiguration', async ({ machine }, request) =>
    inMaintenance(machine) ? applyInMaintenance(machine, request) : applyToConfigured(machine, request),
  ),
]

async function applyInMaintenance(machine: SimulatedMachine, request: ApplyRequest): Promise<object> {
  if (request.mode === mode.noReboot || request.mode === mode.staged) {
    const name = modeNames[request.mode]
    throw new StatusError('Unimplemented', `apply configuration --mode='${name}' is not supported in maintenance mode`)
  }
  const source = request.data.toString('utf8')
  const validation = await validate(machine, source)
  if ('refusal' in validation) {
    const { phase, text } = validation.refusal
    if (phase === 'parse') throw new StatusError('Unknown', `failed to parse config: ${text}`)
    const what = phase === 'runtime' ? 'runtime configuration validation failed' : 'configuration validation failed'
    throw new StatusError('InvalidArgument', `${what}: ${text}`)
  }
  const { warnings } = validation
  if (request.dryRun) {
    return {
      warnings,
      modeDetails: 'Dry run summary:\nNode is running in maintenance mode and does not have a config yet.',
    }
  }
  machine.configure(source)
  return { warnings }
}

async function applyToConfigured(machine: SimulatedMachine, request: ApplyRequest): Promise<object> {
  const source = request.data.toString('utf8')
  const current = machine.record.activeConfig ?? ''
  if (request.mode !== mode.try) cancelRollback(machine)
  const validation = await validate(machine, source)
  if ('refusal' in validation) throw new StatusError('InvalidArgument', validation.refusal.text)
  const problem = immediateProblem(current, source)
  const plan = planOf(request.mode, problem)
  if (request.dryRun) {
    return {
      mode: plan.mode,
      modeDetails: `Dry run summary:\n${plan.details} (skipped in dry-run).\n${diffText(current, source)}`,
    }
  }
  machine.kernelLog.write(`apply config request: mode ${modeNames[request.mode]}(${modeNames[plan.mode]})`)
  let details = plan.details
  switch (plan.mode) {
    case mode.try: {
      const seconds = Number(request.tryModeTimeout?.seconds ?? 60)
      details += `\nThe config is applied in 'try' mode and will be automatically reverted back in ${goDuration(seconds)}`
      scheduleRollback(machine, current, seconds)
      machine.setConfig(source, false)
      break
    }
    case mode.noReboot:
      machine.setConfig(source, true)
      break
    case mode.staged:
    case mode.reboot:
      machine.record.persistedConfig = source
      machine.changed()
      if (plan.mode === mode.reboot) void machine.sequencer.run('reboot', rebootPhases(machine, 0), { takeover: true })
      break
    default:
      throw new StatusError('Unknown', `incorrect mode '${plan.mode}' specified for the apply config call`)
  }
  return { mode: plan.mode, warnings: validation.warnings, modeDetails: details + plan.reason }
}

function planOf(requested: number, problem: string | undefined): { mode: number; details: string; reason: string } {
  const without = 'Applied configuration without a reboot'
  const withReboot = 'Applied configuration with a reboot'
  switch (requested) {
    case mode.try:
    case mode.noReboot:
      if (problem) throw new StatusError('InvalidArgument', problem)
      return { mode: requested, details: without, reason: '' }
    case mode.staged:
      return { mode: requested, details: 'Staged configuration to be applied after the next reboot', reason: '' }
    case mode.auto:
      if (problem) return { mode: mode.reboot, details: withReboot, reason: `: ${problem}` }
      return { mode: mode.noReboot, details: without, reason: '' }
    default:
      return { mode: requested, details: withReboot, reason: '' }
  }
}

function validate(machine: SimulatedMachine, source: string): Promise<Validation> {
  const talosctl = machine.lab.spec.tools.talosctl
  if (talosctl === undefined)
    throw new StatusError('Internal', 'lab: LabSpec.tools lacks talosctl, which validates configs')
  return validateConfig(source, {
    talosctl,
    candidateFile: join(machine.lab.spec.dir, 'machines', `${machine.spec.address}.candidate.yaml`),
    spec: machine.spec,
    talosVersion: machine.record.running.version,
    requiresInstall: machine.record.disk === undefined,
  })
}

const rollbacks = new WeakMap<SimulatedMachine, AbortController>()

function cancelRollback(machine: SimulatedMachine): void {
  rollbacks.get(machine)?.abort()
  rollbacks.delete(machine)
}

/** `--mode=try`: the config that was in effect comes back by itself. The time is the operator's, so it isn't scaled. */
function scheduleRollback(machine: SimulatedMachine, previous: string, seconds: number): void {
  cancelRollback(machine)
  const abort = new AbortController()
  rollbacks.set(machine, abort)
  const { bootId } = machine.record
  const timer = setTimeout(() => {
    if (machine.record.bootId !== bootId) return
    machine.kernelLog.write('rolling back the configuration')
    machine.setConfig(previous, false)
  }, seconds * 1000)
  timer.unref()
  abort.signal.addEventListener('abort', () => clearTimeout(timer))
}

/** time.Duration's text for whole seconds: `1m0s`. */
function goDuration(seconds: number): string {
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`
}
