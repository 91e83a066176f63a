/** `k8sops volsync snapshots`: what restic prints of what it keeps. */
import { describe, expect, test } from 'vitest'
import { keptSnapshots, lastSnapshot } from '../../src/lib/ops/volsync-snapshots.ts'

/** As restic's `forget` prints it for a policy of hours, days and months. */
const forget = `=== Starting forget ===
Applying Policy: keep 3 hourly, 2 daily, 1 monthly snapshots
keep 2 snapshots:
ID        Time                 Host        Tags        Reasons           Paths
-----------------------------------------------------------------------------------------
4e825939  2023-04-07 20:17:00  volsync                 hourly snapshot   /mover-syncthing
29baa6a9  2023-04-07 21:27:34  volsync                 hourly snapshot   /mover-syncthing
-----------------------------------------------------------------------------------------
2 snapshots

keep 3 snapshots:
ID        Time                 Host        Tags        Reasons           Paths  Size
------------------------------------------------------------------------------
f617a68d  2023-04-07 23:55:22  volsync                 daily snapshot    /data  1.2 GiB
6cd03c8e  2023-04-08 01:19:27  volsync                 hourly snapshot   /data  1.2 GiB
6b128c1e  2023-04-08 04:23:11  volsync                 hourly snapshot   /data  1.3 GiB
                                                       daily snapshot
                                                       monthly snapshot
------------------------------------------------------------------------------
3 snapshots

remove 1 snapshots:
ID        Time                 Host        Tags        Paths
------------------------------------------------------------
ea83f94a  2023-04-08 00:00:36  volsync                 /data
------------------------------------------------------------
1 snapshots`
const linesOf = (pod: string, text: string) => text.split('\n').map((message) => ({ pod, message }))

describe('what the last mover keeps', () => {
  test('is of /data, newest first, with every reason, and without what it removes', () => {
    expect(keptSnapshots(linesOf('volsync-src-odoo-x', forget))).toEqual([
      { id: '6b128c1e', takenAt: '2023-04-08T04:23:11Z', kept: ['hourly', 'daily', 'monthly'] },
      { id: '6cd03c8e', takenAt: '2023-04-08T01:19:27Z', kept: ['hourly'] },
      { id: 'f617a68d', takenAt: '2023-04-07T23:55:22Z', kept: ['daily'] },
    ])
  })

  test('is that of the newest that has printed a list: one that failed before that says nothing', () => {
    const older = linesOf('a', forget.replaceAll('2023', '2022'))
    const failed = linesOf('c', 'Starting container\nFatal: wrong password or no key found')
    expect(keptSnapshots([...older, ...linesOf('b', forget), ...failed])?.[0]?.takenAt).toBe('2023-04-08T04:23:11Z')
  })

  test('is not known from anything else', () => {
    expect(keptSnapshots([])).toBeUndefined()
    expect(keptSnapshots(linesOf('a', 'snapshot 6b128c1e saved\nRestic completed in 4s'))).toBeUndefined()
  })
})

test('without logs the status tells of the last one', () => {
  const at = '2026-11-30T08:15:09Z'
  expect(lastSnapshot('x\nsnapshot 6b128c1e saved\nRestic completed in 4s', at)).toEqual([
    { id: '6b128c1e', takenAt: at, kept: [] },
  ])
  expect(lastSnapshot('== Directory is empty skipping backup ===', at)).toEqual([])
  expect(lastSnapshot(undefined, undefined)).toEqual([])
})
