import { defineCommand } from '../../lib/cli/define.ts'

export const gateList = defineCommand({
  path: 'gate list',
  summary: 'List the gates: what each asserts, and where it is asked',
  effect: 'read',
  scope: 'none',
  examples: ['k8sops gate list', 'k8sops gate list -o wide'],
  async read() {
    const [{ gates }, { setsByGate }] = await Promise.all([
      import('../../lib/gates/catalog.ts'),
      import('../../lib/gates/sets.ts'),
    ])
    const sets = setsByGate()
    return {
      kind: 'GateList',
      items: Object.entries(gates).map(([name, { title, params, runbook }]) => ({
        name,
        asserts: title,
        params: [...params],
        sets: sets.get(name) ?? [],
        runbook,
      })),
      columns: [
        { title: 'gate', value: ({ name }) => String(name) },
        { title: 'sets', value: ({ sets: in_ }) => (in_ as string[]).join(',') },
        { title: 'asserts', value: ({ asserts }) => String(asserts) },
        { title: 'parameters', value: ({ params }) => (params as string[]).join(','), wide: true },
        { title: 'runbook', value: ({ runbook }) => String(runbook), wide: true },
      ],
    }
  },
})
