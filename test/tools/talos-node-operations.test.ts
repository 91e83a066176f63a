/** The real talosctl and the simulated machines, for what is not an upgrade: dry runs, snapshots, resets, a recovery. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { keepSnapshot, readSnapshot } from '../../src/lib/tools/snapshot-file.ts'
import { etcdSnapshotArgs } from '../../src/lib/tools/talosctl.args.ts'
import { parseDryRun } from '../../src/lib/tools/talosctl-dry-run.parse.ts'
import { recoverEtcdArgs } from '../../src/lib/tools/talosctl-etcd.args.ts'
import { applyConfigArgs, dryRunConfigArgs, resetArgs } from '../../src/lib/tools/talosctl-node.args.ts'
import type { Command } from '../../src/lib/types.ts'
import { bootstrapFleet, changedConfig, startFleet, type TalosFleet } from '../helpers/talos-fleet.ts'

let fleet: TalosFleet
beforeAll(async () => {
  fleet = await startFleet(['cp1', 'cp2', 'cp3', 'w1'])
  await bootstrapFleet(fleet)
})
afterAll(() => fleet?.stop())

const at = (name: string) => fleet.address(name)
/** As a plan's line, less the talosconfig that the fleet gives by itself. */
const run = ({ args }: Command) => fleet.talosctl(...args.slice(args.indexOf('-e')))
const members = async (name: string) => {
  const read = await fleet.talos.etcdMembers(at(name))
  return read.ok ? read.value : []
}

describe('a dry run', () => {
  const dryRun = async (file: string) => {
    const { code, stderr } = await run(dryRunConfigArgs('', at('w1'), file))
    return code === 0 ? parseDryRun(stderr) : stderr
  }

  it('tells whether a config changes anything, and whether the machine has to restart for it', async () => {
    expect(await dryRun(fleet.configFile('w1'))).toEqual({ ok: true, value: 'nothing' })
    const labelled = changedConfig(fleet, 'w1', (text) =>
      text.replace('machine:\n', 'machine:\n  nodeLabels: {a: b}\n'),
    )
    expect(await dryRun(labelled)).toEqual({ ok: true, value: 'no-reboot' })
    const files = "machine:\n  files: [{path: /var/x, op: create, permissions: 0o600, content: 's3cr3t'}]\n"
    const restarting = changedConfig(fleet, 'w1', (text) => text.replace('machine:\n', files))
    expect(await dryRun(restarting)).toEqual({ ok: true, value: 'reboot' })
    // Said to be applied without a restart, it is refused, and nothing has changed.
    expect((await run(applyConfigArgs('', at('w1'), restarting, 'no-reboot'))).code).not.toBe(0)
    expect(await dryRun(fleet.configFile('w1'))).toEqual({ ok: true, value: 'nothing' })
  })
})

describe('etcd', () => {
  it('is recovered from a kept snapshot after every control plane was wiped, and those that join it have other ids than before', async () => {
    const draft = join(fleet.dir, 'draft.db')
    const kept = join(fleet.dir, 'kept', 'apps-20261124T120000Z.db')
    expect((await run(etcdSnapshotArgs('', at('cp2'), draft))).code).toBe(0)
    const { snapshot } = await keepSnapshot(draft, kept, 3)
    expect(await readSnapshot(kept)).toEqual(snapshot)
    expect(readFileSync(`${kept}.sha256`, 'utf8')).toContain(snapshot.sha256)
    const before = await members('cp1')
    expect(before.map(({ hostname }) => hostname).sort()).toEqual(['cp1', 'cp2', 'cp3'])

    const wipe = { graceful: false, wipe: ['EPHEMERAL'], timeoutSec: 60 }
    const resets = await Promise.all(['cp1', 'cp2', 'cp3'].map((name) => run(resetArgs('', at(name), wipe))))
    expect(resets.map(({ code }) => code)).toEqual([0, 0, 0])
    await fleet.until('no control plane has an etcd', async () => (await members('cp1')).length === 0)
    const recover = () => run(recoverEtcdArgs('', at('cp1'), kept))
    await fleet.until('recovered', async () => {
      const { code, stderr } = await recover()
      return code === 0 || stderr.includes('AlreadyExists')
    })
    await fleet.until(
      'three members',
      async () => (await members('cp1')).filter(({ learner }) => !learner).length === 3,
    )
    // The first one's id is made of its name and address; a restore tells old from new by those of the others.
    const joined = (await members('cp1')).filter(({ hostname }) => hostname !== 'cp1')
    expect(joined.filter(({ id }) => before.some((member) => member.id === id))).toEqual([])
  })
})
