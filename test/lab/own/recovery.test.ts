/**
 * A whole cluster, lost: machines with the disks of before, buckets with what it had saved. Refused until it is confirmed, killed where a database
 * has just begun and again while volumes are filled, gone on with by another process: what was saved is there, made once. Minutes long, so only with
 * K8SOPS_TEST_FULL=1; the plan itself, test/unit/dr.test.ts and test/golden/dr-plan.test.ts show each time.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { KubeObject } from '../../../src/lib/types.ts'
import { kubectl, labHome } from '../../helpers/lab.ts'
import { isStart, type LabCli, labCli, statesOf, told } from '../../helpers/lab-cli.ts'
import { full } from '../../helpers/seed.ts'

declare module 'vitest' {
  interface TaskMeta {
    skipReason?: string
  }
}

const home = labHome()
let lab: LabCli
const run = ['dr', 'run', '--destroy-disk-data', '--confirm', 'apps']
const skipped = { skip: !full, meta: { skipReason: 'minutes long: npm run test:full' } }

beforeAll(async () => {
  if (full) lab = labCli((await home.up('apps', { pace: 0.2 })).record, home.env)
})
afterAll(() => home.close())

const read = async (...args: string[]) =>
  JSON.parse((await kubectl(lab.record, 'get', ...args, '-o', 'json')).stdout) as KubeObject & { items: KubeObject[] }

describe('a cluster that is lost', () => {
  test('is not touched while its disks hold what nobody has given up', skipped, async () => {
    await lab.addFault({ name: 'disks-used' })
    await lab.addFault({ name: 'earlier-backups' })
    for (const command of [['bootstrap'], ['dr', 'run']]) {
      const ended = await lab.run(command)
      expect(ended, told(ended)).toMatchObject({ code: 3 })
      expect(ended.error?.next).toContain('wipe disk --insecure --drop-partition nvme1n1 sda6')
    }
    const unnamed = await lab.run(['dr', 'run', '--destroy-disk-data', '--yes'])
    expect(unnamed, told(unnamed)).toMatchObject({ code: 2 })
    expect(lab.runs()).toEqual([])
  })

  test('comes back out of Git and its backups, killed on the way', skipped, async () => {
    const first = lab.start(run)
    await first.event(isStart('cilium/sync'))
    first.signal('SIGKILL')
    await first.ended
    const begun = (await read('-n', 'databases', 'clusters.postgresql.cnpg.io', 'postgres')).metadata
    const second = lab.start(['run', 'resume'])
    await second.event(isStart('business.odoo/filled'))
    second.signal('SIGKILL')
    await second.ended
    const third = await lab.run(['run', 'resume'])
    expect(third, told(third)).toMatchObject({ code: 0 })
    expect(Object.values(statesOf(third.result)).every((state) => state === 'done' || state === 'skipped')).toBe(true)

    const database = await read('-n', 'databases', 'clusters.postgresql.cnpg.io', 'postgres')
    expect(database.metadata).toMatchObject({
      uid: begun.uid,
      annotations: {
        'lab.k8sops.dev/content': 'postgres until its end',
        'kustomize.toolkit.fluxcd.io/reconcile': 'disabled',
        'k8sops.dev/restored-at': expect.any(String),
      },
    })
    const destinations = (await read('-A', 'replicationdestinations.volsync.backube')).items
    expect(destinations.length).toBeGreaterThan(0)
    for (const { status } of destinations)
      expect(status).toMatchObject({
        latestMoverStatus: { logs: expect.stringMatching(/^restoring snapshot [0-9a-f]{8} /m) },
      })
  })

  test('and a second recovery finds nothing to do', skipped, async () => {
    const again = await lab.run(['dr', 'run'])
    expect(again, told(again)).toMatchObject({ code: 0 })
    expect(again.result?.changed).toBe(false)
  })
})
