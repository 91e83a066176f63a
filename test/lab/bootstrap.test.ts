/**
 * `k8sops bootstrap` in the lab: what it does when nobody disturbs it, and that it comes to the very same end when it is
 * killed and interrupted all the way. Here a sample of the ways, chosen by K8SOPS_TEST_SEED; all of them with
 * K8SOPS_TEST_FULL=1 (docs/proof.md).
 */
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { StoredRun } from '../../src/lib/engine/runs.ts'
import type { KubeObject, RunResult } from '../../src/lib/types.ts'
import { differences, type EndState, readEndState } from '../helpers/end-state.ts'
import {
  atWork,
  begun,
  boundaries,
  interruptAt,
  isDisturbed,
  killAt,
  killAtBoundaries,
  killAtInstants,
} from '../helpers/kill.ts'
import { boundaryOf } from '../helpers/kill-at-boundary.ts'
import { kubectl, labHome, talosctl } from '../helpers/lab.ts'
import { type LabCli, labCli, patience, statesOf, told } from '../helpers/lab-cli.ts'
import { randomOf, sample, seed } from '../helpers/seed.ts'
import { type SharedLab, sharedLab } from '../helpers/shared-lab.ts'

const home = labHome()
afterAll(() => home.close())

/** What an undisturbed bootstrap of `apps` ends in: what every other one is held against. */
let expected: EndState
/** How it got there. */
let undisturbed: StoredRun

describe('undisturbed', () => {
  let shared: SharedLab
  let lab: LabCli
  let result: RunResult
  beforeAll(async () => {
    shared = await sharedLab()
    lab = labCli(shared.record, shared.env)
    if (!shared.bootstrap?.result) throw new Error('looks at a bootstrap of its own: run it without K8SOPS_TEST_LAB')
    result = shared.bootstrap.result
    undisturbed = lab.runs()[0]!
  })

  test('a cluster comes up, with a timeline of what it took', () => {
    expect(result).toMatchObject({ outcome: 'succeeded', changed: true })
    const states = new Set(Object.values(statesOf(result)))
    expect([...states].sort()).toEqual(['done', 'skipped'])
    // Nothing was there before, so only the steps that repair something had nothing to do.
    const skipped = result.steps.filter(({ state }) => state === 'skipped').map(({ id }) => id)
    expect(skipped.filter((id) => !id.endsWith('/settle'))).toEqual([])
    for (const step of result.steps) {
      expect(Date.parse(step.startedAt ?? ''), step.id).toBeGreaterThanOrEqual(Date.parse(result.startedAt))
      expect(step.seconds, step.id).toBeLessThanOrEqual(result.seconds)
    }
    const waits = result.steps.find(({ id }) => id === 'flux/reconciled')
    expect(waits?.waitedSec).toBeGreaterThan(0)
    expect(waits?.waitedFor?.join('\n')).toMatch(/Kustomization flux-system\//)
  })

  test('the report says the same as JSON and as Markdown', () => {
    expect(JSON.parse(readFileSync(`${shared.report}.json`, 'utf8'))).toEqual(result)
    const markdown = readFileSync(`${shared.report}.md`, 'utf8')
    for (const { id, state } of result.steps) expect(markdown).toContain(`| \`${id}\` | ${state} |`)
  })

  test('every node is Ready and everything that Flux manages is', async () => {
    expected = await readEndState(lab.record)
    const unready = async (kind: string) => {
      const { stdout } = await kubectl(lab.record, 'get', kind, '-A', '-o', 'json')
      const { items } = JSON.parse(stdout) as {
        items: { metadata: { name: string }; status: { conditions: object[] } }[]
      }
      expect(items.length, kind).toBeGreaterThan(0)
      return items
        .filter(({ status }) => !status.conditions.some((one) => isReady(one)))
        .map((one) => one.metadata.name)
    }
    const isReady = (condition: object) =>
      'type' in condition && 'status' in condition && condition.type === 'Ready' && condition.status === 'True'
    for (const kind of [
      'nodes',
      'kustomizations',
      'helmreleases',
      'ocirepositories',
      'gitrepositories',
      'fluxinstances',
    ])
      expect(await unready(kind), kind).toEqual([])
    expect(expected['etcd members']).toEqual([
      'apps-cp1 learner=false',
      'apps-cp2 learner=false',
      'apps-cp3 learner=false',
    ])
  })

  test('the gateways are programmed at the addresses of the settings, and their routes are accepted', async () => {
    const read = async (kind: string) => {
      const { stdout } = await kubectl(lab.record, 'get', kind, '-A', '-o', 'json')
      return (JSON.parse(stdout) as { items: { metadata: { name: string }; status?: Record<string, never> }[] }).items
    }
    const settings = readFileSync(join(lab.record.root, 'kubernetes/clusters/apps/cluster-settings.yaml'), 'utf8')
    const setting = (name: string) => new RegExp(`^  ${name}: (\\S+)`, 'm').exec(settings)?.[1]
    const addresses = (await read('gateways')).map(({ metadata, status }) => [
      metadata.name,
      (status?.addresses as { value: string }[] | undefined)?.map(({ value }) => value),
    ])
    expect(Object.fromEntries(addresses)).toEqual({
      'envoy-external': [setting('ENVOY_EXTERNAL_IP')],
      'envoy-internal': [setting('ENVOY_INTERNAL_IP')],
    })
    const routes = (await read('httproutes')).map(({ metadata, status }) => [
      metadata.name,
      (status?.parents as { conditions: { status: string }[] }[] | undefined)?.flatMap(({ conditions }) =>
        conditions.map((condition) => condition.status),
      ),
    ])
    for (const [name, states] of routes) expect(new Set(states), String(name)).toEqual(new Set(['True']))
    expect(routes.map(([name]) => name)).toEqual(expect.arrayContaining(['flux-webhook', 'https-redirect']))
  })

  test('run again it changes nothing', async () => {
    const tls = ['get', 'secrets', '-A', '--field-selector', 'type=kubernetes.io/tls', '-o', 'json']
    const certificates = async () =>
      (JSON.parse((await kubectl(lab.record, ...tls)).stdout) as { items: KubeObject[] }).items.map(
        ({ metadata }) => `${metadata.namespace}/${metadata.name} ${metadata.resourceVersion}`,
      )
    const issued = await certificates()
    const again = await lab.run(['bootstrap'])
    // Nor does the lab by itself: an operator that is never content costs half a core.
    expect(await certificates()).toEqual(issued)
    expect(again, told(again)).toMatchObject({ code: 0, result: { outcome: 'succeeded', changed: false } })
    // No process at all was started for a step.
    expect(lab.runs()[0]?.journal.filter(({ type }) => type === 'process-started')).toEqual([])
    expect(differences(expected, await readEndState(lab.record))).toEqual([])
  })

  test('--until and --skip-flux leave out what they say, and an unknown step is refused with the known ones', async () => {
    const until = await lab.run(['bootstrap', '--until', 'api'])
    expect(until, told(until)).toMatchObject({ code: 0, result: { changed: false } })
    expect(until.result?.steps.at(-1)?.id).toBe('api/ready')
    const all = result.steps.map(({ id }) => id)
    const skip = await lab.run(['bootstrap', '--skip-flux', '--dry-run'])
    const steps = (JSON.parse(skip.stdout) as { steps: { id: string }[] }).steps.map(({ id }) => id)
    expect(all.filter((id) => !steps.includes(id))).toEqual(all.filter((id) => /flux/.test(id)))
    const wrong = await lab.run(['bootstrap', '--until', 'nothing'])
    expect(wrong).toMatchObject({ code: 2, error: { next: expect.stringContaining('etcd/bootstrap') } })
  })
})

/** Journal boundaries of the undisturbed run, from one step to another (without the latter). */
function boundariesBetween(from: string, to?: string): string[] {
  const ids = undisturbed.plan.steps.map(({ id }) => id)
  const within = ids.slice(ids.indexOf(from), to === undefined ? undefined : ids.indexOf(to))
  const own = undisturbed.journal.filter((entry) => 'step' in entry && within.includes(entry.step))
  return [...new Set(own.map(boundaryOf))]
}

const skipped = {
  skip: !isDisturbed('apps'),
  meta: { skipReason: 'of this seed the bootstrap of infra is disturbed: npm run test:full has both' },
}

describe(`interrupted and resumed (seed ${seed})`, skipped, () => {
  let lab: LabCli
  const used: { remove: () => void }[] = []
  beforeAll(async () => {
    lab = labCli((await home.up('apps', { name: 'rough' })).record, home.env)
  })
  afterAll(() => lab.down())
  afterEach(() => {
    for (const one of used.splice(0)) one.remove()
  })
  const dyingAt = (only?: string[]) => {
    const made = boundaries(only)
    used.push(made)
    return made
  }

  test('a sample of every way to interrupt it: the end is the same', async () => {
    const random = randomOf('sample')

    // Ctrl-C before the first change.
    const early = await interruptAt(lab, ['bootstrap', '--until', 'nodes/registered'], begun('preflight'))
    expect(early, told(early)).toMatchObject({ code: 130, result: { outcome: 'interrupted', changed: false } })
    expect(early.result?.resume).toContain(`k8sops run resume ${early.result?.runId} --cluster apps --lab`)

    const machines = dyingAt(sample(boundariesBetween('talos/genconfig', 'secrets/apply'), 2, random))
    const first = await killAtBoundaries(lab, ['bootstrap', '--until', 'nodes/registered'], machines)
    expect(first.last, told(first.last)).toMatchObject({ code: 0, result: { outcome: 'succeeded' } })
    expect(first.kills, `of ${machines.used()}`).toBeGreaterThan(0)
    // --until: nothing of what comes later is there.
    expect((await kubectl(lab.record, 'get', 'namespace', 'flux-system', 'cert-manager', '-o', 'name')).stdout).toBe('')

    // Ctrl-C where a step can be ended at once, then where it has to be finished first.
    const now = await interruptAt(lab, ['bootstrap', '--skip-flux'], atWork('crds/apply'))
    expect(now, told(now)).toMatchObject({ code: 6, result: { outcome: 'interrupted', changed: true } })
    expect(statesOf(now.result)).toMatchObject({ 'crds/apply': 'interrupted', 'cilium/sync': 'not-started' })
    const after = await interruptAt(lab, ['run', 'resume'], atWork('cilium/sync'))
    expect(after, told(after)).toMatchObject({ code: 6, result: { outcome: 'interrupted' } })
    expect(statesOf(after.result)).toMatchObject({ 'cilium/sync': 'done', 'coredns/sync': 'not-started' })

    // SIGKILL while helm is at work, and then the journal is lost: live state alone has to say what is done.
    const killed = await killAt(lab, ['run', 'resume'], atWork('coredns/sync'))
    expect(killed.signal).toBe('SIGKILL')
    rmSync(join(lab.record.root, '.k8sops/runs'), { recursive: true })
    const releases = dyingAt(sample(boundariesBetween('coredns/sync', 'flux-system/settle'), 1, random))
    const second = await killAtBoundaries(lab, ['bootstrap', '--skip-flux'], releases)
    expect(second.last, told(second.last)).toMatchObject({ code: 0, result: { outcome: 'succeeded' } })
    expect(Object.keys(statesOf(second.last.result)).filter((id) => /flux/.test(id))).toEqual([])

    const longestSec = 20 * patience
    await killAtInstants(lab, ['bootstrap'], { count: 1, longestSec, random })
    const last = await killAtBoundaries(
      lab,
      ['bootstrap'],
      dyingAt(sample(boundariesBetween('flux-operator/sync'), 1, random)),
    )
    expect(last.last, told(last.last)).toMatchObject({ code: 0, result: { outcome: 'succeeded' } })
    expect(differences(expected, await readEndState(lab.record))).toEqual([])
  })

  test('a difference would be seen: in an object, a machine config, a file, a set of pods', async () => {
    await kubectl(lab.record, 'create', 'configmap', 'stray', '--from-literal=a=b')
    await kubectl(lab.record, 'label', 'node', 'apps-w1', 'stray=yes')
    await kubectl(lab.record, '-n', 'external-secrets', 'delete', 'secret', 'onepassword-connect-token')
    const machine = lab.record.machines.at(-1)!.address
    const patch = '{"machine":{"sysctls":{"vm.stray":"1"}}}'
    const patched = await talosctl(lab.record, machine, 'patch', 'mc', '--mode', 'no-reboot', '-p', patch)
    expect(patched.code, patched.stderr).toBe(0)
    rmSync(join(lab.record.root, 'talos/apps/clusterconfig/apps-apps-w1.yaml'))
    const found = differences(expected, await readEndState(lab.record))
    const subjects = [...new Set(found.map((line) => line.split(/:? \.|: /)[0]))].sort()
    expect(subjects).toEqual([
      'file talos/apps/clusterconfig/apps-apps-w1.yaml',
      'machine apps-w3',
      'object v1 ConfigMap default/stray',
      'object v1 Node apps-w1',
      'object v1 Secret external-secrets/onepassword-connect-token',
    ])
  })
})
