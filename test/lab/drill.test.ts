/**
 * Backups that are proven, with the whole CLI in the lab: whatever happens to a drill, its answer is written down and nothing of it stays. Every step is a
 * place to be killed at with K8SOPS_TEST_FULL=1, otherwise one that K8SOPS_TEST_SEED chooses.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { LabRecord } from '../../src/lib/lab/record.ts'
import { begun, killAt } from '../helpers/kill.ts'
import { eventually, kubectl } from '../helpers/lab.ts'
import { type LabCli, labCli, told } from '../helpers/lab-cli.ts'
import { proof } from '../helpers/proof.ts'
import { full, randomOf, sample } from '../helpers/seed.ts'
import { sharedLab } from '../helpers/shared-lab.ts'

const id = 'business/odoo'
const place = 'drill-business-odoo'
const verify = (...args: string[]) => ['backup', 'verify', id, '--ready-timeout', '60s', ...args]

let record: LabRecord
let lab: LabCli
beforeAll(async () => {
  const shared = await sharedLab()
  record = shared.record
  lab = labCli(record, shared.env)
  await eventually(
    async () => (await row())?.state,
    (state) => state === 'ok',
    180,
  )
})
afterEach(() => lab.clearFaults())

interface Row {
  kind: string
  namespace: string
  name: string
  state: string
  detail: string
  lastRestore: string | null
  restoreSec: number | null
}
async function row(): Promise<Row | undefined> {
  const { stdout } = await lab.run(['backup', 'status'])
  const { items } = JSON.parse(stdout) as { items: Row[] }
  return items.find(({ kind, namespace, name }) => kind === 'volume' && `${namespace}/${name}` === id)
}
const namespaces = async () =>
  (await kubectl(record, 'get', 'namespaces', '-l', 'k8sops.dev/drill', '-o', 'name')).stdout
async function nothingLeft(): Promise<void> {
  expect(await namespaces()).toBe('')
  const { stdout } = await kubectl(
    record,
    'get',
    'deployments',
    '-n',
    'business',
    'odoo',
    '-o',
    'jsonpath={.spec.replicas}',
  )
  expect(stdout).toBe('1')
}

const placesToDie = ['namespace', 'secret', 'claim', 'restore', 'start', 'record'].map(
  (verb) => `business.odoo/${verb}`,
)

describe('killed', () => {
  test.each(full ? [...placesToDie, `${place}/remove`] : sample(placesToDie, 1, randomOf('drill kill')))(
    'at %s, another process brings it to its end, and the status knows the proof',
    async (step) => {
      const since = new Date(Date.now() - 1000).toISOString()
      const killed = await killAt(lab, verify(), begun(step))
      expect(killed.signal).toBe('SIGKILL')
      const ended = await lab.run(['run', 'resume'])
      expect(ended, told(ended)).toMatchObject({ code: 0 })
      await nothingLeft()
      const proven = await row()
      expect(proven).toMatchObject({ state: 'ok', restoreSec: expect.any(Number) })
      expect((proven?.lastRestore ?? '') > since).toBe(true)
      expect(ended.stdout + ended.stderr).not.toContain('RESTIC_PASSWORD":')
    },
  )
})

test('a mover that fails is an answer: exit 3, written down, nothing left, and proven again by the next drill', async () => {
  await lab.addFault({ name: 'mover-fails', params: { name: `${place}/drill`, message: 'Fatal: wrong password' } })
  const ended = await lab.run(verify())
  expect(ended.code, told(ended)).toBe(3)
  expect(ended.result?.error?.message).toContain('Fatal: wrong password')
  await nothingLeft()
  expect(await row()).toMatchObject({ state: 'failed', detail: expect.stringContaining('has not proven it') })
  await lab.clearFaults()
  const again = await lab.run(['backup', 'verify', id])
  expect(again, told(again)).toMatchObject({ code: 0 })
  expect(await row()).toMatchObject({ state: 'ok' })
  await nothingLeft()
})

proof('what a drill that died has left is removed by an abort from anywhere, and by the next drill', async () => {
  for (const after of [['backup', 'verify', '--abort'], verify()]) {
    expect((await killAt(lab, verify(), begun('business.odoo/start'))).signal).toBe('SIGKILL')
    expect(await namespaces()).toContain(place)
    const ended = await lab.run(after)
    expect(ended, told(ended)).toMatchObject({ code: 0 })
    await nothingLeft()
  }
  expect(await lab.run(['backup', 'verify', '--abort'])).toMatchObject({ code: 3 })
})

proof('nothing in its namespace may reach anything, and it is the stalest that is taken', async () => {
  const run = lab.start(['backup', 'verify', '--stalest', '1'])
  await run.event((event) => event.type === 'step-started' && event.step.endsWith('/start'))
  const [name = ''] = (await namespaces()).trim().split('\n')
  const inside = name.replace('namespace/', '')
  expect(inside).not.toBe(place)
  const policy = await kubectl(record, '-n', inside, 'get', 'networkpolicy', 'default-deny', '-o', 'jsonpath={.spec}')
  expect(JSON.parse(policy.stdout)).toEqual({ podSelector: {}, policyTypes: ['Egress', 'Ingress'] })
  expect((await run.ended).code).toBe(0)
  await nothingLeft()
})

test('the CronJob may do what it does, and neither touch other namespaces nor read other Secrets', async () => {
  const as = ['--as', 'system:serviceaccount:flux-system:backup-verify']
  const may = async (...args: string[]) => (await kubectl(record, 'auth', 'can-i', ...as, ...args)).stdout.trim()
  expect(await may('get', 'secrets/odoo-volsync', '-n', 'business')).toBe('yes')
  for (const refused of [
    ['get', 'secrets/odoo', '-n', 'business'],
    ['list', 'secrets', '-n', 'business'],
    ['create', 'pods', '-n', 'business'],
    ['delete', 'persistentvolumeclaims', '-n', 'business'],
  ])
    expect([refused, await may(...refused)]).toEqual([refused, 'no'])
  const removed = await kubectl(record, 'delete', 'namespace', 'business', '--dry-run=server', ...as)
  expect(removed.stderr).toContain('only namespaces of drills may be removed')
  const made = await kubectl(record, 'create', 'namespace', 'elsewhere', '--dry-run=server', ...as)
  expect(made.stderr).toContain('a namespace of a drill is called drill-*')
  const bound = await kubectl(
    record,
    'create',
    'rolebinding',
    'x',
    '-n',
    'business',
    '--clusterrole',
    'backup-verify-drill',
    '--dry-run=server',
    ...as,
    '--serviceaccount',
    'flux-system:backup-verify',
  )
  expect(bound.stderr).toContain('only in namespaces of drills')
})

proof("with the CronJob's own account, and nobody else's rights, the stalest is proven", async () => {
  const kubeconfig = readFileSync(record.kubeconfig, 'utf8')
  const { stdout } = await kubectl(record, '-n', 'flux-system', 'create', 'token', 'backup-verify')
  const withToken = kubeconfig
    .replace(/^.*client-certificate-data:.*\n/m, '')
    .replace(/client-key-data:.*/, `token: ${stdout.trim()}`)
  try {
    writeFileSync(record.kubeconfig, withToken)
    const ended = await lab.run(['backup', 'verify', '--stalest', '1'])
    expect(ended, told(ended)).toMatchObject({ code: 0 })
  } finally {
    writeFileSync(record.kubeconfig, kubeconfig)
  }
  await nothingLeft()
})
