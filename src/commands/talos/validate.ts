import { defineCommand } from '../../lib/cli/define.ts'
import { nodesOption } from '../../lib/cli/node-option.ts'
import { configFile } from '../../lib/ops/bootstrap-machines.ts'
import { chosenNodes } from '../../lib/ops/node-choice.ts'
import type { Json } from '../../lib/types.ts'

export const talosValidate = defineCommand({
  path: 'talos validate',
  summary: "Check a cluster's generated machine configs: up to date, and valid for talosctl",
  effect: 'read',
  scope: 'cluster',
  options: [nodesOption('all of them')],
  examples: [
    'k8sops talos validate --cluster apps',
    'k8sops talos gen --cluster apps && k8sops talos validate --cluster apps',
  ],
  runbook: 'docs/runbooks/talos.md',
  async read(context) {
    const [cluster, gates] = await Promise.all([context.cluster(), context.gates()])
    const current = await gates.evaluate({ gate: 'talos-config-current' }, context.signal)
    const named = chosenNodes(cluster, context.options.node)
    const files = (named.length > 0 ? named : cluster.nodes).map((node) => configFile(cluster.name, node))
    const ours = {
      gate: 'machines-not-foreign',
      params: { nodes: cluster.nodes.map(({ address }) => address).join(',') },
    }
    const identity = await gates.evaluate(ours, context.signal)
    const valid = await Promise.all(
      files.map((file) => gates.evaluate({ gate: 'talos-config-valid', params: { files: file } }, context.signal)),
    )
    const rows = [
      { file: `talos/${cluster.name}/talsecret.sops.yaml`, check: "the machines' secrets", verdict: identity },
      { file: `talos/${cluster.name}/clusterconfig`, check: 'up to date', verdict: current },
      ...files.map((file, index) => ({ file, check: 'valid', verdict: valid[index] ?? current })),
    ]
    const items = rows.map(({ file, check, verdict }): { [key: string]: Json } => ({
      file,
      check,
      status: verdict.status,
      detail: verdict.status === 'pass' ? '' : verdict.detail,
    }))
    return {
      kind: 'MachineConfigReport',
      items,
      columns: [
        { title: 'FILE', value: ({ file }) => String(file) },
        { title: 'CHECK', value: ({ check }) => String(check) },
        { title: 'STATUS', value: ({ status }) => String(status) },
        { title: 'DETAIL', value: ({ detail }) => String(detail) },
      ],
      exitCode: items.every(({ status }) => status === 'pass') ? 0 : 3,
    }
  },
})
