import type { CommandContext, OptionSpec } from '../../lib/cli/define.ts'
import { defineCommand, textOption } from '../../lib/cli/define.ts'
import { UsageError } from '../../lib/errors.ts'
import type { ActiveFault } from '../../lib/lab/types.ts'
import { clusterOption, labChoice } from './options.ts'

const nodeOption: OptionSpec = { flags: '--node <hostname>', description: 'only this machine' }
const runbook = 'docs/runbooks/lab.md'

export const labFaultAdd = defineCommand({
  path: 'lab fault add',
  summary: 'Break something in a lab',
  effect: 'local',
  scope: 'none',
  args: { name: 'the fault, as `lab fault list` names it' },
  completeArgs: { name: faultNames },
  options: [
    clusterOption,
    nodeOption,
    { flags: '--param <key=value...>', description: 'as `lab fault list -o wide` explains them' },
  ],
  examples: [
    'k8sops lab fault add node-never-boots --node apps-cp2',
    'k8sops lab fault add registry-down --param host=ghcr.io --param mode=hang',
  ],
  runbook,
  async run(context) {
    const node = textOption(context.options.node)
    const params = parameters(context.options.param)
    const fault: ActiveFault = {
      name: context.args.name ?? '',
      ...(node ? { node } : {}),
      ...(params ? { params } : {}),
    }
    const { dir } = await chosen(context)
    const { callSupervisor } = await import('../../lib/lab/control-socket.ts')
    await callSupervisor(dir, 'POST', '/faults', fault)
    return { kind: 'Fault', text: `${fault.name} is on${node ? ` for ${node}` : ''}`, fields: { fault: { ...fault } } }
  },
})

export const labFaultList = defineCommand({
  path: 'lab fault list',
  summary: 'List the faults that the lab can play, and which are on',
  effect: 'read',
  scope: 'none',
  options: [clusterOption],
  examples: ['k8sops lab fault list', 'k8sops lab fault list -o wide'],
  runbook,
  async read(context) {
    const { faultCatalogue } = await import('../../lib/lab/faults.ts')
    const [catalogue, active] = await Promise.all([faultCatalogue(), activeFaults(context)])
    return {
      kind: 'FaultList',
      items: catalogue.map((fault) => ({
        name: fault.id,
        summary: fault.summary,
        where: fault.where,
        node: fault.node,
        params: fault.params,
        when: fault.when,
        expect: fault.expect,
        active: active.filter(({ name }) => name === fault.id).map((one) => ({ ...one })),
      })),
      columns: [
        { title: 'name', value: (row) => String(row.name) },
        {
          title: 'on',
          value: ({ active: on }) => (on as unknown as ActiveFault[]).map((one) => one.node ?? 'yes').join(','),
        },
        { title: 'node', value: (row) => String(row.node) },
        { title: 'what happens', value: (row) => String(row.summary) },
        {
          title: 'parameters',
          value: ({ params }) =>
            Object.entries(params as Record<string, string>)
              .map(([name, meaning]) => `${name}: ${meaning}`)
              .join('; '),
          wide: true,
        },
        { title: 'expect', value: (row) => String(row.expect), wide: true },
      ],
    }
  },
})

export const labFaultClear = defineCommand({
  path: 'lab fault clear',
  summary: 'Repair what was broken',
  effect: 'local',
  scope: 'none',
  args: { 'name?': 'one fault (default: all of them)' },
  completeArgs: { name: faultNames },
  options: [clusterOption, nodeOption],
  examples: ['k8sops lab fault clear', 'k8sops lab fault clear node-never-boots --node apps-cp2'],
  runbook,
  async run(context) {
    const { dir } = await chosen(context)
    const query = new URLSearchParams()
    const [name, node] = [context.args.name, textOption(context.options.node)]
    if (name) query.set('name', name)
    if (node) query.set('node', node)
    const { callSupervisor } = await import('../../lib/lab/control-socket.ts')
    const removed = await callSupervisor<number>(dir, 'DELETE', `/faults?${query}`)
    return {
      kind: 'FaultList',
      text: removed === 1 ? 'one fault cleared' : `${removed} faults cleared`,
      fields: { removed },
    }
  },
})

async function chosen(context: CommandContext) {
  const { oneLab } = await import('../../lib/lab/choice.ts')
  return oneLab(labChoice(context), context.env)
}

/** The catalogue can be read without any lab. */
async function activeFaults(context: CommandContext): Promise<ActiveFault[]> {
  const [{ labsOf }, { callSupervisor }, { isAlive }] = await Promise.all([
    import('../../lib/lab/choice.ts'),
    import('../../lib/lab/control-socket.ts'),
    import('../../lib/exec/process-info.ts'),
  ])
  const records = await labsOf(labChoice(context), context.env)
  const running = records.filter(({ supervisor }) => supervisor && isAlive(supervisor))
  const lists = await Promise.all(running.map(({ dir }) => callSupervisor<ActiveFault[]>(dir, 'GET', '/faults')))
  return lists.flat()
}

async function faultNames(): Promise<string[]> {
  const { faultCatalogue } = await import('../../lib/lab/faults.ts')
  return (await faultCatalogue()).map(({ id }) => id)
}

function parameters(given: CommandContext['options'][string]): Record<string, string> | undefined {
  const list = Array.isArray(given) ? given : typeof given === 'string' ? [given] : []
  if (list.length === 0) return undefined
  return Object.fromEntries(
    list.map((pair) => {
      const at = pair.indexOf('=')
      if (at < 1) throw new UsageError(`--param ${pair}: expected KEY=VALUE`)
      return [pair.slice(0, at), pair.slice(at + 1)]
    }),
  )
}
