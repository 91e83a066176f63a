/** `k8sops cluster remove`: who is needed stays, and who goes leaves nothing behind. */
import { execFileSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { changesOf, workingCopy } from './working-copy.ts'

let copy: ReturnType<typeof workingCopy>
let changes: ReturnType<typeof changesOf>
beforeEach(() => {
  copy = workingCopy()
  changes = changesOf(copy.root)
})
afterEach(() => copy.remove())

const networks = [
  '--cidr',
  '10.25.12.0/24',
  '--pods',
  '10.46.0.0/16',
  '--services',
  '10.47.0.0/16',
  '--lb-pool',
  '10.25.30.0/24',
]
const others = ['--vlan', '2512', '--domain', 'staging.monosense.io', '--asn', '64515']
const staging = async (from = 'apps', ...more: string[]) => {
  const made = await copy.k8sops('cluster', 'new', 'staging', '--from', from, ...networks, ...others, ...more)
  expect(made, made.stderr).toMatchObject({ code: 0 })
}

test.each(['apps', 'infra'])(
  'one that was made after %s and is removed leaves the tree byte for byte as it was',
  async (from) => {
    await staging(from)
    const dryRun = await copy.k8sops('cluster', 'remove', 'staging', '--gone', '--dry-run', '-o', 'json')
    const made = changes.made()
    expect(made.length).toBeGreaterThan(7)
    const { items, outside } = JSON.parse(dryRun.stdout) as { items: { file: string }[]; outside: string[] }
    expect([...items.map(({ file }) => file), 'k8sops.yaml'].sort()).toEqual(made.sort())
    expect(outside.map((one) => one.split(':')[0])).toEqual([
      'monitoring',
      'machines',
      'DNS',
      'Cloudflare',
      'router',
      '1Password',
      'backups',
      'this machine',
    ])
    const removed = await copy.k8sops('cluster', 'remove', 'staging', '--gone', '--confirm', 'staging')
    expect(removed, removed.stderr).toMatchObject({ code: 0 })
    expect(changes.made()).toEqual([])
    for (const directory of ['talos', 'bootstrap', 'kubernetes/clusters'])
      expect(copy.list(directory)).not.toContain('staging')
  },
)

test('nothing goes without its name: on a terminal typed, elsewhere given', async () => {
  await staging()
  const made = changes.made()
  const remove = ['cluster', 'remove', 'staging', '--gone']
  expect(await copy.k8sops(...remove)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('add --confirm staging'),
  })
  expect(await copy.k8sops(...remove, '--confirm', 'apps')).toMatchObject({ code: 2 })
  expect(await copy.typed(['y'], {}, ...remove)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('not confirmed'),
  })
  expect(changes.made()).toEqual(made)
  const removed = await copy.typed(['staging'], {}, ...remove)
  expect(removed, removed.stderr).toMatchObject({ code: 0 })
  expect(changes.made()).toEqual([])
})

test('who is needed is refused with every need, and nothing changes', async () => {
  const refused = await copy.k8sops('cluster', 'remove', 'infra', '--gone', '--confirm', 'infra', '-o', 'json')
  expect(refused.code).toBe(3)
  const { output } = JSON.parse(refused.stderr.trim()) as { output: string }
  for (const need of [
    'k8sops.yaml: defaultCluster is infra',
    'k8sops.yaml: what apps gets soaks on infra first',
    'kubernetes/clusters/apps/cluster-settings.yaml: TELEMETRY_URL is https://telemetry.monosense.dev',
    'k8sops.yaml: the alerts of apps are at https://alertmanager.monosense.dev',
  ])
    expect(output.split('\n')).toContain(need)
  // A mail address of its domain, and a network that is let in, need nobody.
  const apps = await copy.k8sops('cluster', 'remove', 'apps', '--gone', '--dry-run', '-o', 'json')
  expect(apps, apps.stderr).toMatchObject({ code: 0 })
  const { references } = JSON.parse(apps.stdout) as { references: { file: string; text: string }[] }
  const settings = references.filter(({ file }) => file === 'kubernetes/clusters/infra/cluster-settings.yaml')
  expect(settings.map(({ text }) => text.split(':')[0])).toEqual(['KAFKA_CLIENT_CIDR', 'ACME_EMAIL'])
  expect(changes.made()).toEqual([])
})

test('one that does not answer is not taken for one that is gone', async () => {
  await staging()
  const made = changes.made()
  const refused = await copy.typed(
    [],
    { KUBECONFIG: '/nonexistent/kubeconfig' },
    'cluster',
    'remove',
    'staging',
    '--confirm',
    'staging',
  )
  expect(refused.code).toBe(4)
  for (const what of ['backups-recent unknown', 'backups-idle unknown', 'holds-current unknown', '--gone'])
    expect(refused.stderr).toContain(what)
  expect(changes.made()).toEqual(made)
})

test('secrets that git has not are not lost', async () => {
  await staging()
  // A real repository, in the place of the empty .git that marks the root.
  rmSync(join(copy.root, '.git'), { recursive: true })
  execFileSync('git', ['init', '--quiet'], { cwd: copy.root })
  writeFileSync(join(copy.root, 'talos/staging/talsecret.sops.yaml'), 'cluster: {}\nsops: {}\n')
  const remove = ['cluster', 'remove', 'staging', '--gone', '--confirm', 'staging']
  expect(await copy.k8sops(...remove)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('is not committed as it is'),
  })
  const identity = ['-c', 'user.name=A', '-c', 'user.email=a@b.c']
  execFileSync('git', ['add', '-A'], { cwd: copy.root })
  execFileSync('git', [...identity, 'commit', '--quiet', '-m', 'Secrets'], { cwd: copy.root })
  const removed = await copy.k8sops(...remove)
  expect(removed, removed.stderr).toMatchObject({ code: 0 })
  expect(changes.made()).toEqual([])
})
