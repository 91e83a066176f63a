import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type CommandContext, defineCommand } from '../lib/cli/define.ts'
import { ConfigError, OperatorError } from '../lib/errors.ts'
import { bootstrapTools } from '../lib/ops/bootstrap-input.ts'
import { clusterFindings, type Finding, opFinding, toolFindings } from '../lib/ops/doctor.ts'
import { firstOnPath, toolVersions } from '../lib/tools/resolve.ts'
import type { Json } from '../lib/types.ts'

export const doctor = defineCommand({
  path: 'doctor',
  summary: 'Check tools, versions, secrets and access, and say how to fix what is wrong',
  effect: 'read',
  scope: 'cluster',
  examples: ['k8sops doctor', 'k8sops doctor --cluster infra -o json', 'k8sops doctor --lab'],
  runbook: 'docs/prerequisites.md',
  async read(context) {
    const versions = toolVersions({ env: context.env })
    const pins = Object.fromEntries(versions.map(({ name, pinned }) => [name, pinned]))
    const findings = [...toolFindings(versions, bootstrapTools), ...(await ofCluster(context, pins))]
    const count = (status: Finding['status']) => findings.filter((finding) => finding.status === status).length
    const summary = {
      ok: count('ok'),
      warnings: count('warning') + count('unchecked'),
      unchecked: count('unchecked'),
      broken: count('broken'),
    }
    return {
      kind: 'DoctorReport',
      items: findings.map((finding) => ({ ...finding })),
      columns: [
        { title: 'AREA', value: text('area') },
        { title: 'WHAT', value: text('name') },
        { title: 'STATUS', value: text('status') },
        { title: 'FOUND', value: text('found') },
        { title: 'WHY', value: text('why') },
        { title: 'FIX', value: text('fix') },
      ],
      fields: { summary },
      exitCode: summary.broken > 0 ? 1 : 0,
    }
  },
})

const text = (key: keyof Finding) => (row: { [key: string]: Json }) => String(row[key] ?? '')

/** A repository that can't be read is a finding like any other, and leaves the tools' lines standing. */
async function ofCluster(context: CommandContext, pins: Record<string, string>): Promise<Finding[]> {
  try {
    const [cluster, target] = await Promise.all([context.cluster(), context.target()])
    const op = firstOnPath('op', { ...context.env, ...target.env })
    const [gates, kube, talos] = await Promise.all([context.gates(), context.kube(), context.talos()])
    const found = await clusterFindings({
      cluster,
      target,
      gates,
      kube,
      talos,
      hasOp: op !== undefined,
      hasTalosconfig: existsSync(join(target.root, target.talosconfig)),
      pins,
      signal: context.signal,
    })
    return [
      opFinding(op),
      { area: 'repository', name: 'configuration', status: 'ok', found: target.root, why: '', fix: '' },
      ...found,
    ]
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error
    return [opFinding(firstOnPath('op', context.env)), ...brokenRepository(error)]
  }
}

function brokenRepository(error: OperatorError): Finding[] {
  const broken = { area: 'repository', status: 'broken' } as const
  const fix = error.detail.next ?? ''
  const problems = error instanceof ConfigError ? error.problems : []
  if (problems.length === 0)
    return [{ ...broken, name: 'configuration', found: 'can not be read', why: error.message, fix }]
  return problems.map(({ file, line, message }) => ({
    ...broken,
    name: `${file}:${line}`,
    found: 'wrong',
    why: message,
    fix,
  }))
}
