/** `k8sops gate check` on a cluster that is healthy, and on what becomes of it. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { RunEvent } from '../../src/lib/types.ts'
import { eventually, repositoryRoot } from '../helpers/lab.ts'
import { patience, startCli } from '../helpers/lab-cli.ts'
import { type SharedLab, sharedLab } from '../helpers/shared-lab.ts'

let lab: SharedLab
beforeAll(async () => {
  lab = await sharedLab()
})
afterAll(() => kubectl('uncordon', worker))

const worker = 'apps-w3'
const gate = (...args: string[]) => startCli(['gate', 'check', ...args, ...lab.flags, '--lab'], { env: lab.env })
const kubectl = (...args: string[]) =>
  promisify(execFile)(
    process.execPath,
    [join(repositoryRoot, 'bin/k8sops.js'), 'lab', 'exec', ...lab.flags, '--', 'kubectl', ...args],
    { env: lab.env },
  )

interface Report {
  items: { name: string; verdict: string; reason: string; since: string | null; next: string | null }[]
}
const report = (stdout: string) => (JSON.parse(stdout) as Report).items

/** What holds in a lab without storage and databases. */
const healthy = [
  'cluster-identity',
  'client-certificates-valid',
  'inventory-matches',
  'machines-ready',
  'versions-equal',
  'version-path',
  'etcd-healthy',
  'api-ready',
  'nodes-schedulable',
  'node-ready-version',
  'pods-ready-on-node',
  'pdbs-allow',
  'no-other-upgrader',
  'flux-settled',
  'machine-configs-applied',
]

it('finds everything well in a healthy cluster, asked of the real API server, the machines and etcd', async () => {
  // Databases and storage go on coming up for a while after the bootstrap, which waits for Flux only.
  const look = async () => {
    const ended = await gate(...healthy).ended
    return { code: ended.code, open: report(ended.stdout).filter(({ verdict }) => verdict !== 'pass') }
  }
  await eventually(look, ({ code, open }) => code === 0 && open.length === 0, 60)
})

it('finds fewer databases than are counted, whether their kind is served or not', async () => {
  const ended = await gate('cnpg-healthy', 'etcd-absent', '--param', 'expect=99').ended
  const found = report(ended.stdout)
  expect(ended.code).toBe(3)
  expect(found.map(({ verdict }) => verdict)).toEqual(['fail', 'fail'])
  expect(found[0]?.reason).toContain('at least 99 expected')
})

it('notices a node that somebody cordoned, and sees at once when it is back', async () => {
  await kubectl('cordon', worker)
  const cordoned = await gate('nodes-schedulable').ended
  expect(cordoned.code).toBe(3)
  expect(report(cordoned.stdout)).toMatchObject([
    { name: 'nodes-schedulable', verdict: 'fail', reason: `Node ${worker}: spec.unschedulable is true` },
  ])

  const watching = gate('node-schedulable', '--node', worker, '--watch', '--timeout', `${60 * patience}s`)
  const waits = (event: RunEvent) => event.type === 'step-waiting' && event.step === 'node-schedulable'
  await watching.event(waits)
  await kubectl('uncordon', worker)
  const ended = await watching.ended
  expect(ended.code).toBe(0)
  expect(report(ended.stdout)).toMatchObject([{ verdict: 'pass', since: expect.any(String) }])
})

it('lets a cluster go by its gates only: not while something rests that nobody answers for', async () => {
  const named = lab.flags.slice(lab.flags.indexOf('--lab-name'))
  const letGo = () => startCli(['cluster', 'remove', 'apps', '--dry-run', ...named, '--lab'], { env: lab.env }).ended
  const suspend = (is: boolean) =>
    kubectl('-n', 'flux-system', 'patch', 'kustomization', 'gatus', '--type=merge', '-p', `{"spec":{"suspend":${is}}}`)
  await suspend(true)
  const refused = await letGo().finally(() => suspend(false))
  expect(refused.code).toBe(3)
  expect(refused.stderr).toContain('holds-current fail: ')
  expect(refused.stderr).toContain('gatus')
  // What else is open is open for gate check as well.
  const [asked, removal] = await Promise.all([gate('backups-recent', 'backups-idle', 'holds-current').ended, letGo()])
  expect(removal.code).toBe(asked.code)
})
