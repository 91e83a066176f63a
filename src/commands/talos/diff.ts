import { defineCommand } from '../../lib/cli/define.ts'
import { nodesOption } from '../../lib/cli/node-option.ts'
import { exitCodes } from '../../lib/errors.ts'
import type { NodePreview } from '../../lib/tools/config-preview.ts'
import type { Json } from '../../lib/types.ts'
import { observePreviews } from './config-previews.ts'

export const talosDiff = defineCommand({
  path: 'talos diff',
  summary: 'Show what the machine configs of the repository would change on each node',
  description:
    'Compares the configs as talhelper makes them now with those that the machines run, and asks each machine what applying would do. Secrets are never shown. Exit code 3 when something differs.',
  effect: 'read',
  scope: 'cluster',
  options: [nodesOption('all of them')],
  examples: ['k8sops talos diff --cluster apps', 'k8sops talos diff --cluster apps --node apps-w1 -o json'],
  runbook: 'docs/runbooks/talos.md',
  async read(context) {
    const previews = await observePreviews(context)
    const silent = previews.filter(({ effect }) => !effect.ok && effect.why === 'unreachable')
    const same = previews.every(({ effect }) => effect.ok && effect.value === 'nothing')
    return {
      kind: 'MachineConfigDiff',
      items: previews.map(itemOf),
      text: previews.map(render).join('\n'),
      exitCode: same ? exitCodes.ok : silent.length === previews.length ? exitCodes.unreachable : exitCodes.gate,
    }
  },
})

const effectOf = ({ effect }: NodePreview) => (effect.ok ? effect.value : 'unknown')

function itemOf(preview: NodePreview): { [key: string]: Json } {
  const { node, effect, changes } = preview
  return {
    name: node.hostname,
    address: node.address,
    effect: effectOf(preview),
    ...(effect.ok ? {} : { problem: effect.detail }),
    changes: changes.map(({ path, from, to }) => ({ path, from: from ?? null, to: to ?? null })),
  }
}

const headline = {
  nothing: 'no changes',
  'no-reboot': 'without a reboot',
  reboot: 'WITH A REBOOT',
  unknown: 'could not be asked',
}

function render(preview: NodePreview): string {
  const { node, effect, changes } = preview
  const lines = changes.map(({ path, from, to }) => {
    if (from === undefined) return `  + ${path}: ${to}`
    return to === undefined ? `  - ${path}: ${from}` : `  ~ ${path}: ${from} -> ${to}`
  })
  const written = effect.ok && effect.value !== 'nothing' && lines.length === 0 ? ['  only in how it is written'] : []
  return [
    `${node.hostname}: ${headline[effectOf(preview)]}${effect.ok ? '' : `: ${effect.detail}`}`,
    ...lines,
    ...written,
  ].join('\n')
}
