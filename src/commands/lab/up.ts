import type { CommandContext } from '../../lib/cli/define.ts'
import { defineCommand, textOption } from '../../lib/cli/define.ts'
import { labNameOf } from '../../lib/config/target.ts'
import { UsageError } from '../../lib/errors.ts'
import type { UpResult } from '../../lib/lab/up.ts'
import { clusterOption } from './options.ts'

export const labUp = defineCommand({
  path: 'lab up',
  summary: 'Start a rehearsal cluster on this machine, its machines in maintenance mode',
  description:
    'Copies the repository (HEAD and working changes), gives the copy its own keys and loopback addresses, and starts six simulated Talos machines. Bringing up Kubernetes is the job of `k8sops bootstrap --lab`. A lab that was there goes on with its state.',
  effect: 'local',
  scope: 'repository',
  options: [
    clusterOption,
    { flags: '--bootstrapped', description: 'run `k8sops bootstrap --lab` on it afterwards', default: false },
    {
      flags: '--fixtures',
      description: 'with --bootstrapped: add guarded workloads and a volume with its backup',
      default: false,
    },
    { flags: '--pace <factor>', description: 'factor on simulated durations; 0.1 is ten times as fast', default: '1' },
    { flags: '--number <n>', description: 'take the addresses 127.13.N.x (default: the first that are free)' },
  ],
  examples: [
    'k8sops lab up --cluster apps',
    'k8sops lab up --cluster all --bootstrapped',
    'k8sops lab up --cluster apps --bootstrapped --fixtures',
    'k8sops lab up --cluster infra --lab-name upgrade --pace 0.2',
  ],
  runbook: 'docs/runbooks/lab.md',
  async run(context) {
    const { options, env, note, signal } = context
    const pace = decimal('--pace', textOption(options.pace) ?? '1', 0.01, 10)
    const number = textOption(options.number)
    if (options.fixtures === true && options.bootstrapped !== true) {
      throw new UsageError('--fixtures needs a cluster that is up', {
        next: 'add --bootstrapped, or run `k8sops lab fixtures add` later',
      })
    }
    const repository = await context.repository()
    const clusters = clustersOf(repository, textOption(options.cluster))
    if (number !== undefined && clusters.length > 1) {
      throw new UsageError('--number is for one cluster', { next: 'leave it out, or name one with --cluster' })
    }
    const [{ labUp: up }, { labTools }] = await Promise.all([
      import('../../lib/lab/up.ts'),
      import('../../lib/lab/tools.ts'),
    ])
    const tools = await labTools(env, signal, note)
    const name = labNameOf({ labName: textOption(options.labName), env })
    const shared = { repository, name, pace, tools, env, note, signal }
    const results = await Promise.all(
      clusters.map((cluster) =>
        up({ ...shared, cluster, ...(number === undefined ? {} : { number: decimal('--number', number, 1, 250) }) }),
      ),
    )
    const exitCode = options.bootstrapped === true ? await bootstrapAll(context, results) : 0
    return {
      kind: 'LabList',
      text: results.map(described).join('\n\n'),
      items: results.map(({ record, outcome, seconds }) => ({
        name: record.name,
        cluster: record.cluster,
        number: record.number,
        dir: record.dir,
        root: record.root,
        kubeconfig: record.kubeconfig,
        outcome,
        seconds: Math.round(seconds * 10) / 10,
      })),
      exitCode,
    }
  },
})

function clustersOf(
  repository: Awaited<ReturnType<CommandContext['repository']>>,
  wanted: string | undefined,
): string[] {
  if (wanted === 'all') return repository.clusters.map(({ name }) => name)
  return [wanted ?? repository.defaultCluster]
}

function decimal(option: string, value: string, lowest: number, highest: number): number {
  const number = Number(value)
  if (value.trim() !== '' && number >= lowest && number <= highest) return number
  throw new UsageError(`${option} ${value}: expected a number from ${lowest} to ${highest}`)
}

function described({ record, outcome, seconds }: UpResult): string {
  const { name, cluster, number, machines, dir } = record
  const flags = `--cluster ${cluster} --lab${name === 'default' ? '' : ` --lab-name ${name}`}`
  const did = { created: 'is up', restarted: 'is up again', running: 'was up already' }[outcome]
  return [
    `lab ${name} of cluster ${cluster} ${did} (${seconds.toFixed(1)} s): ${machines.length} machines on 127.13.${number}.x`,
    `  state      ${dir}`,
    `  bootstrap  k8sops bootstrap ${flags}`,
    `  status     k8sops lab status`,
  ].join('\n')
}

/** The same command that an operator would type, with its own view of the progress. */
async function bootstrapAll({ env, cwd, options, note, signal }: CommandContext, results: UpResult[]): Promise<number> {
  const { runItself } = await import('../../lib/lab/itself.ts')
  let exitCode = 0
  // One after the other: two live views in one terminal would overwrite each other.
  for (const { record } of results) {
    const repo = textOption(options.repo)
    const code = await runItself(
      [
        'bootstrap',
        '--lab',
        '--yes',
        '--cluster',
        record.cluster,
        '--lab-name',
        record.name,
        ...(repo ? ['--repo', repo] : []),
      ],
      { cwd, env },
    )
    exitCode ||= code
    if (code === 0 && options.fixtures === true) {
      const { addFixtures } = await import('../../lib/lab/fixtures/index.ts')
      const { objects } = await addFixtures(record, { note, signal })
      note(`${objects.length} fixtures of cluster ${record.cluster} are healthy`)
    }
  }
  return exitCode
}
