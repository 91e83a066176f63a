/** `k8sops ceph osd remove` and `ceph expand`: in which order, with what behind it, and what the Jobs run. */
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { parsePlan } from '../../src/lib/cli/plan-file.ts'
import { gates } from '../../src/lib/gates/catalog.ts'
import { asksFor } from '../../src/lib/gates/ceph-osds.ts'
import { fillGate } from '../../src/lib/gates/fill.ts'
import type { Gate } from '../../src/lib/gates/types.ts'
import { cephJobObject } from '../../src/lib/ops/ceph-job-objects.ts'
import { planOsdRemove, refuseAbort } from '../../src/lib/ops/ceph-osd-remove.ts'
import type { CephJobVerb } from '../../src/lib/tools/ceph-job.args.ts'
import type { KubeObject, Plan } from '../../src/lib/types.ts'
import { basis, cephPlans, removal } from './ceph-world.ts'

const stepOf = ({ steps }: Plan, id: string) => {
  const found = steps.find((step) => step.id === id)
  if (!found) throw new Error(`no step ${id}`)
  return found
}

describe('a removal', () => {
  const plan = planOsdRemove(removal(), basis)

  test('takes nothing away before Ceph has said that the data are elsewhere', () => {
    const ids = plan.steps.map(({ id }) => id)
    expect(ids).toEqual([
      'osd.3/ask',
      'osd.3/expendable',
      'osd.3/asked',
      'helmrelease.rook-ceph.rook-ceph/suspend',
      'osd.3/drain',
      'deployment.rook-ceph.rook-ceph-operator/stop',
      'deployment.rook-ceph.rook-ceph-operator/idle',
      'deployment.rook-ceph.rook-ceph-osd-3/stop',
      'deployment.rook-ceph.rook-ceph-osd-3/idle',
      'osd.3/purge',
      'osd.3/gone',
      'apps-w1/disk',
      'deployment.rook-ceph.rook-ceph-operator/start',
      expect.stringMatching(/^helmrelease.rook-ceph.rook-ceph\/resume/),
      'helmrelease.rook-ceph.rook-ceph/ready',
      'ceph/healthy',
      'osd-3/tidy',
    ])
    const { require = [] } = stepOf(plan, 'osd.3/purge')
    expect(require.map(({ gate }) => gate)).toEqual(['ceph-job-done', 'workload-parked', 'workload-parked'])
  })

  test('does nothing of it once more after the purge', () => {
    const before = plan.steps.slice(
      0,
      plan.steps.findIndex(({ id }) => id === 'osd.3/purge'),
    )
    for (const { id, orUnless } of before.filter(({ always }) => !always))
      expect(
        orUnless?.map(({ gate }) => gate),
        id,
      ).toEqual(['ceph-osd-purged'])
  })

  test('takes what has its number and its disk afterwards for another one', () => {
    const purged = { gate: 'ceph-osd-purged', params: { namespace: 'rook-ceph', osd: '3', uid: 'u-3' } }
    for (const id of ['osd.3/gone', 'apps-w1/disk'])
      expect(stepOf(plan, id).orUnless).toMatchObject([purged, { gate: 'workload-unparked' }])
  })

  test('says that Ceph cannot do without it as a finding: exit 3', () => {
    expect(plan.steps.filter(({ finding }) => finding).map(({ id }) => id)).toEqual(['osd.3/expendable'])
  })

  test('wipes only with --wipe, and without a disk waits until Rook looks for none there', () => {
    expect(stepOf(plan, 'apps-w1/disk').action).toEqual({ kind: 'wait' })
    const wiped = planOsdRemove(removal({ disk: { address: '10.25.13.14', device: 'nvme1n1', wipe: true } }), basis)
    expect(stepOf(wiped, 'apps-w1/disk')).toMatchObject({
      action: { pipeline: [{ tool: 'talosctl', args: expect.arrayContaining(['wipe', 'disk', 'nvme1n1']) }] },
      require: [{ gate: 'ceph-osd-purged' }, { gate: 'workload-parked' }],
    })
    const left = planOsdRemove(removal({ disk: undefined }), basis)
    expect(stepOf(left, 'apps-w1/unasked').verify).toEqual([
      { gate: 'ceph-node-unasked', params: { namespace: 'rook-ceph', node: 'apps-w1' } },
    ])
  })

  test('is refused where somebody else holds the operator', () => {
    const [release] = removal().releases
    if (!release) throw new Error('no release')
    const hold = { ...removal().note, owner: 'joe@desk', detached: false }
    expect(() => planOsdRemove(removal({ releases: [{ ...release, hold }] }), basis)).toThrowError(/holds this already/)
  })

  test('can be ended as long as its purge has not begun', () => {
    const { osd } = removal()
    expect(() => refuseAbort({ whole: true, purging: true }, osd)).toThrowError(
      expect.objectContaining({ exitCode: 3 }),
    )
    expect(() => refuseAbort({ whole: true, purging: false }, osd)).not.toThrow()
    expect(() => refuseAbort({ whole: false, purging: true }, osd)).not.toThrow()
  })
})

test.each(cephPlans().map((plan) => [plan.operation, plan] as const))(
  '%s is one that a file can hold, and asks every gate for what it takes',
  (_, plan) => {
    expect(parsePlan(JSON.stringify(plan), 'plan.json')).toEqual(plan)
    for (const { verify, unless = [], require = [], orUnless = [] } of plan.steps)
      for (const { gate, params } of [...verify, ...unless, ...require, ...orUnless])
        expect(() => fillGate(gate, gates[gate as keyof typeof gates] as Gate, params ?? {})).not.toThrow()
    const ids = plan.steps.map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
  },
)

test('which nodes Rook looks at', () => {
  const with_ = (storage: object): KubeObject => ({
    apiVersion: 'ceph.rook.io/v1',
    kind: 'CephCluster',
    metadata: { name: 'c' },
    spec: { storage },
  })
  expect(asksFor(with_({ useAllNodes: true, nodes: [] }), 'w1')).toBe(true)
  expect(asksFor(with_({ useAllNodes: false, nodes: [{ name: 'w1' }] }), 'w1')).toBe(true)
  expect(asksFor(with_({ useAllNodes: false, nodes: null }), 'w1')).toBe(false)
  expect(asksFor(with_({}), 'w1')).toBe(false)
})

describe('the Jobs', () => {
  const operator: KubeObject = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'rook-ceph-operator', namespace: 'rook-ceph' },
    spec: { template: { spec: { containers: [{ image: 'ghcr.io/rook/ceph:v1.19.4' }] } } },
  }
  interface Job {
    metadata: { name: string; labels: Record<string, string> }
    spec: {
      template: {
        spec: { containers: { image: string; args?: string[]; command?: string[] }[]; serviceAccountName?: string }
      }
    }
  }
  const job = (verb: CephJobVerb): Job =>
    cephJobObject(
      {
        namespace: 'rook-ceph',
        subject: verb === 'settle' ? 'expand' : 'osd-3',
        verb,
        token: 'ceph.osd.remove/now-00ff',
        osd: '3',
      },
      operator,
    ) as Job

  test("purge as Rook's example does, with the operator's image", () => {
    const { metadata, spec } = job('purge')
    expect(metadata).toMatchObject({ name: 'k8sops-osd-3-purge-00ff', labels: { app: 'rook-ceph-purge-osd' } })
    expect(spec.template.spec).toMatchObject({
      serviceAccountName: 'rook-ceph-purge-osd',
      containers: [
        {
          image: 'ghcr.io/rook/ceph:v1.19.4',
          args: ['ceph', 'osd', 'remove', '--preserve-pvc', 'false', '--force-osd-removal', 'false', '--osd-ids', '3'],
        },
      ],
    })
  })

  // The scripts run here, with a `ceph` that says what Ceph 20 says.
  const dir = mkdtempSync(join(tmpdir(), 'k8sops-ceph-'))
  afterAll(() => rmSync(dir, { recursive: true, force: true }))
  function run(verb: CephJobVerb, answers: string): { exitCode: number; message: string } {
    writeFileSync(join(dir, 'ceph'), `#!/bin/bash\ncase "$*" in\n${answers}\nesac\n`)
    writeFileSync(join(dir, 'sleep'), '#!/bin/bash\n')
    writeFileSync(join(dir, 'message'), '')
    // Another pod each time.
    rmSync(join(dir, 'k8sops-progress'), { force: true })
    for (const name of ['ceph', 'sleep']) chmodSync(join(dir, name), 0o755)
    const script = (job(verb).spec.template.spec.containers[0]?.command?.[2] ?? '')
      .replaceAll('/dev/termination-log', join(dir, 'message'))
      .replaceAll('/etc/ceph/', `${dir}/`)
      .replace('$SECONDS -ge 120', '$SECONDS -ge 0')
    let exitCode = 0
    try {
      execFileSync('bash', ['-c', script], { env: { PATH: `${dir}:${process.env.PATH}` }, stdio: 'pipe' })
    } catch (error) {
      exitCode = (error as { status: number }).status
    }
    return { exitCode, message: execFileSync('cat', [join(dir, 'message')], { encoding: 'utf8' }) }
  }

  test('ask whether it may stop, and how large it is', () => {
    const said = run(
      'ask',
      `'osd ok-to-stop osd.3') echo '{"ok_to_stop":true}';;\n'osd metadata 3') echo '  "bluestore_bdev_size": "2000398934016",';;`,
    )
    expect(said).toEqual({ exitCode: 0, message: 'stop=0\nbytes=2000398934016\nsaid={"ok_to_stop":true}\n' })
    const refused = run('ask', `'osd ok-to-stop osd.3') echo 'Error EBUSY: unsafe' >&2; exit 16;;`)
    expect(refused).toEqual({ exitCode: 0, message: 'stop=16\nbytes=\nsaid=Error EBUSY: unsafe\n' })
  })

  test('drain until it is safe to destroy, and say what is left until then', () => {
    const busy = `'osd out osd.3') ;;\n'osd safe-to-destroy osd.3') echo 'Error EBUSY: OSD(s) 3 have 12 pgs currently mapped to them.' >&2; exit 16;;`
    const left = run(
      'drain',
      `${busy}\n'pg stat') echo '97 pgs: 12 active+remapped, 85 active+clean; 1/9 objects misplaced (11%)';;`,
    )
    expect(left.exitCode).toBe(1)
    expect(left.message).toMatch(
      /^since=\d+\nsaid=Error EBUSY: OSD\(s\) 3 have 12 pgs currently mapped to them. 1\/9 objects misplaced\n$/,
    )
    expect(run('drain', `'osd out osd.3') ;;\n'osd safe-to-destroy osd.3') ;;`).exitCode).toBe(0)
    expect(run('drain', `'osd out osd.3') exit 1;;`).exitCode).toBe(1)
    // Monitors that are away say nothing: that is no standstill since 1970.
    const silent = run('drain', `'osd out osd.3') ;;\n*) exit 124;;`)
    expect(silent).toEqual({ exitCode: 1, message: expect.stringMatching(/^since=\d+\nsaid=\n$/) })
  })

  test('settle only when every placement group is active and clean, and Ceph says so', () => {
    const stat = (text: string) => `'pg stat') echo '${text}';;`
    const settled = run('settle', stat('97 pgs: 90 active+clean, 7 active+clean+scrubbing; 1 GiB data'))
    // Three looks in a row; here a look lasts no time.
    expect(settled).toEqual({ exitCode: 1, message: expect.stringMatching(/^since=\d+\nsaid=\n$/) })
    const moving = run('settle', stat('97 pgs: 90 active+clean, 7 active+remapped+backfilling; 1 GiB data'))
    expect(moving.message).toMatch(/said=7 active\+remapped\+backfilling\n$/)
    expect(run('settle', `'pg stat') exit 1;;`).exitCode).toBe(1)
  })

  test('take nothing for gone that Ceph does not say', () => {
    expect(run('gone', `'osd ls') printf '0\\n13\\n';;`).exitCode).toBe(0)
    expect(run('gone', `'osd ls') printf '0\\n3\\n';;`)).toMatchObject({
      exitCode: 1,
      message: "said=osd.3 is still in Ceph's map\n",
    })
    expect(run('gone', `'osd ls') exit 1;;`).exitCode).toBe(1)
  })
})
