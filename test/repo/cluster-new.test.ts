/** `k8sops cluster new` (journey 5): what it writes is a sound third cluster beside the two, and nothing else is touched. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { workingCopy } from './working-copy.ts'

let copy: ReturnType<typeof workingCopy>
beforeEach(() => {
  copy = workingCopy()
})
afterEach(() => copy.remove())

interface Dashboard {
  templating: { list: { name: string }[] }
}

const networks = ['--pods', '10.46.0.0/16', '--services', '10.47.0.0/16', '--lb-pool', '10.25.30.0/24']
const others = ['--vlan', '2512', '--domain', 'staging.monosense.io', '--asn', '64515', '--from', 'apps']
const staging = (...more: string[]) => copy.k8sops('cluster', 'new', 'staging', ...networks, ...others, ...more)

test('a third cluster is valid as it is written, planned for, and asked for by name', async () => {
  const before = copy.read('k8sops.yaml')
  const made = await staging('--cidr', '10.25.12.0/24', '--apps', 'n8n')
  expect(made, made.stderr).toMatchObject({ code: 0 })
  // Nothing of the file's own text is lost, and all that is new is the entry and its place in the order.
  const lines = new Set(copy.read('k8sops.yaml').split('\n'))
  expect(before.split('\n').filter((line) => !lines.has(line))).toEqual(['  order: [infra, apps]'])
  const talconfig = copy.read('talos/staging/talconfig.yaml')
  expect(talconfig).not.toMatch(/\bapps\b|10.25.13.|10.4[45].|2513/)
  expect(copy.read('kubernetes/clusters/staging/apps/kustomization.yaml')).toMatch(/resources:\n {2}- business\/n8n\n$/)

  const { stdout } = await copy.k8sops('validate', '--cluster', 'staging', '-o', 'json')
  const { items, findings } = JSON.parse(stdout) as { items: { severity: string; file: string }[]; findings: number }
  expect(findings, stdout.slice(0, 2000)).toBe(0)
  const toConfirm = items.filter(({ severity, file }) => severity === 'confirm' && file.includes('/staging/'))
  expect(toConfirm.length).toBeGreaterThan(20)
  const plan = await copy.k8sops('bootstrap', '--cluster', 'staging', '--dry-run', '-o', 'json')
  expect(JSON.parse(plan.stdout)).toMatchObject({ kind: 'Plan', cluster: 'staging' })

  // It stands beside the two others wherever all clusters are shown; nobody is there to answer here.
  const status = await copy.k8sops('cluster', 'status', '--cluster', 'all', '-o', 'json')
  const rows = (JSON.parse(status.stdout) as { items: { cluster: string }[] }).items
  expect([...new Set(rows.map(({ cluster }) => cluster))]).toEqual(['infra', 'apps', 'staging'])
  // And in the dashboards, which know clusters by what they are told of.
  const directory = 'kubernetes/infrastructure/configs/observability/grafana-dashboards/app'
  const variables = copy
    .list(directory)
    .filter((file) => file.endsWith('.json'))
    .flatMap((file) => (JSON.parse(copy.read(`${directory}/${file}`)) as Dashboard).templating.list)
    .filter(({ name }) => name === 'cluster')
  expect(variables.length).toBeGreaterThan(0)
  for (const variable of variables)
    expect(variable).toMatchObject({
      type: 'query',
      definition: expect.stringMatching(/^label_values\(\w+, cluster\)$/),
    })
})

test('what another cluster has is refused by the rules, before anything is written', async () => {
  const refused = await staging('--cidr', '10.25.13.0/24')
  expect(refused.code).toBe(2)
  expect(refused.stderr).toContain('address 10.25.13.11 belongs to cluster apps')
  expect(copy.list('talos')).not.toContain('staging')
  expect(copy.read('k8sops.yaml')).not.toContain('staging')
})

test('all that is wrong with the options is said at once', async () => {
  const wrong = await copy.k8sops('cluster', 'new', 'apps', '--cidr', '10.25.12.0', '--vlan', 'x', '--apps', 'nothing')
  expect(wrong.code).toBe(2)
  for (const what of [
    'a cluster apps already',
    '--pods is missing',
    '--vlan x',
    '--cidr 10.25.12.0: ',
    '--apps nothing',
  ])
    expect(wrong.stderr).toContain(what)
})
