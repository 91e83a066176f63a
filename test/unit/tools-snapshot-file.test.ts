import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { snapshotFile } from '../../src/lib/ops/etcd-snapshot.ts'
import { keepSnapshot, readSnapshot } from '../../src/lib/tools/snapshot-file.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'k8sops-snapshot-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** As etcd sends it: pages of the database, then their checksum. */
function snapshotOf(content: string): Buffer {
  const pages = Buffer.alloc(1024, content)
  return Buffer.concat([pages, createHash('sha256').update(pages).digest()])
}

function drafted(content = 'etcd'): string {
  const file = join(directory, 'draft.db')
  writeFileSync(file, snapshotOf(content))
  return file
}

const kept = join('kept', 'etcd')
const at = (minute: number) => snapshotFile(join(directory, kept), 'apps', new Date(Date.UTC(2026, 10, 24, 12, minute)))

it('keeps a snapshot with its digest, for nobody else to read, and the draft is gone', async () => {
  const draft = drafted()
  const { snapshot } = await keepSnapshot(draft, at(0), 3)
  expect(readdirSync(join(directory, kept)).sort()).toEqual([
    'apps-20261124T120000Z.db',
    'apps-20261124T120000Z.db.sha256',
  ])
  expect(readFileSync(`${at(0)}.sha256`, 'utf8')).toBe(`${snapshot.sha256}  apps-20261124T120000Z.db\n`)
  expect(snapshot.sha256).toBe(
    createHash('sha256')
      .update(readFileSync(at(0)))
      .digest('hex'),
  )
  expect(statSync(at(0)).mode & 0o777).toBe(0o600)
  expect(statSync(join(directory, kept)).mode & 0o777).toBe(0o700)
  expect(readdirSync(directory)).toEqual(['kept'])
})

it('lets the oldest go with their digests, and touches neither the new one nor files of other clusters', async () => {
  await keepSnapshot(drafted('other'), join(directory, kept, 'apps-east-20200101T000000Z.db'), 1)
  for (const minute of [3, 1, 2]) await keepSnapshot(drafted(String(minute)), at(minute), 3)
  const { removed } = await keepSnapshot(drafted('late'), at(0), 2)
  expect(removed).toEqual(['apps-20261124T120100Z.db', 'apps-20261124T120200Z.db'])
  expect(readdirSync(join(directory, kept)).filter((name) => name.endsWith('.db'))).toEqual([
    'apps-20261124T120000Z.db',
    'apps-20261124T120300Z.db',
    'apps-east-20200101T000000Z.db',
  ])
})

it('takes another snapshot under the same name, digest included', async () => {
  await keepSnapshot(drafted('first'), at(0), 3)
  const { snapshot } = await keepSnapshot(drafted('second'), at(0), 3)
  expect(await readSnapshot(at(0))).toEqual(snapshot)
})

it.each([
  ['is cut off', (whole: Buffer) => whole.subarray(0, 900), 'is no whole etcd snapshot'],
  ['has a changed byte', (whole: Buffer) => Buffer.concat([Buffer.from('X'), whole.subarray(1)]), 'is damaged'],
  ['is empty', () => Buffer.alloc(0), 'is no whole etcd snapshot'],
])('refuses one that %s, and keeps nothing', async (_, change, reason) => {
  const draft = drafted()
  writeFileSync(draft, change(readFileSync(draft)))
  await expect(keepSnapshot(draft, at(0), 3)).rejects.toThrow(reason)
  expect(readdirSync(directory)).toEqual(['draft.db'])
})

it('refuses to read one that somebody replaced by another whole one', async () => {
  await keepSnapshot(drafted('first'), at(0), 3)
  writeFileSync(at(0), snapshotOf('second'))
  await expect(readSnapshot(at(0))).rejects.toThrow('is not what apps-20261124T120000Z.db.sha256 was written for')
})
