/** What must hold of every gate, whatever it is about: it passes on facts that it has read, and on nothing else. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { gates } from '../../src/lib/gates/catalog.ts'
import { createGatePort } from '../../src/lib/gates/evaluate.ts'
import { setsByGate } from '../../src/lib/gates/sets.ts'
import type { KubeObject, KubePort, Result, TalosPort, Verdict } from '../../src/lib/types.ts'
import { fc } from '../helpers/seeded-check.ts'
import { sourcesOf, type World } from './gates-world.ts'

const root = join(import.meta.dirname, '..', 'fixtures', 'gates')
const passing = Object.keys(gates).flatMap((gate) =>
  readdirSync(join(root, gate))
    .filter((name) => name.startsWith('pass-'))
    .map((file) => ({ gate, file, world: JSON.parse(readFileSync(join(root, gate, file), 'utf8')) as World })),
)

/** They say that something is not there, so that an API server which has none of it says just that. */
const ofAbsence = [
  'ceph-job-absent',
  'ceph-jobs-absent',
  'etcd-absent',
  'flux-released',
  'flux-running',
  'holds-current',
  'local-volumes-absent',
  'netpol-released',
  'netpol-restored',
  'no-other-upgrader',
  'releases-settled',
  'cnpg-database-absent',
  'namespaces-absent',
  'cnpg-predecessor-gone',
  'secret-absent',
  'volsync-destination-absent',
  'workload-unparked',
]
/** One machine's answer is enough for the one; for the other it is an answer that no etcd runs there. */
const satisfiedByLess = ['etcd-absent', 'etcd-bootstrapped']
/** Budgets over no pod of the node, and those whose operator makes room: their counts don't matter. */
const unasked = (gate: string, file: string) => gate === 'pdbs-allow' && file !== 'pass-allowed.json'

type Change = (read: number, answer: Result<unknown>) => Result<unknown>

/** Evaluates a fixture with every answer of the two APIs passed through `change`; tells how many there were. */
async function evaluate({ gate, world }: (typeof passing)[number], change: Change): Promise<[Verdict, number]> {
  let reads = 0
  const through = async <T>(read: Promise<Result<T>>): Promise<Result<T>> => {
    const number = reads++
    return change(number, await read) as Result<T>
  }
  const sources = sourcesOf(world)
  const { kube, talos } = sources
  const changedKube: KubePort = {
    ...kube,
    list: (ref, signal) => through(kube.list(ref, signal)),
    raw: (path, options) => through(kube.raw(path, options)),
  }
  const changedTalos: TalosPort = {
    state: (node, signal) => through(talos.state(node, signal)),
    discoveredVolumes: (node, signal) => through(talos.discoveredVolumes(node, signal)),
    get: (node, type, id, signal) => through(talos.get(node, type, id, signal)),
    etcdMembers: (node, signal) => through(talos.etcdMembers(node, signal)),
    etcdStatus: (node, signal) => through(talos.etcdStatus(node, signal)),
    etcdAlarms: (node, signal) => through(talos.etcdAlarms(node, signal)),
    bootId: (node, signal) => through(talos.bootId(node, signal)),
    read: (node, path, signal) => through(talos.read(node, path, signal)),
  }
  const port = createGatePort({ ...sources, kube: changedKube, talos: changedTalos })
  const check = { gate, ...(world.params ? { params: world.params } : {}) }
  return [await port.evaluate(check, new AbortController().signal), reads]
}

const same: Change = (_read, answer) => answer
const emptied: Change = (_read, answer) => {
  if (!answer.ok || typeof answer.value === 'object') {
    const list = !answer.ok || Array.isArray(answer.value)
    return list ? { ok: true, value: [] } : { ok: false, why: 'bad-output', detail: 'nothing' }
  }
  return { ok: true, value: '' }
}

it('no gate passes on empty answers', async () => {
  const passed: string[] = []
  for (const fixture of passing) {
    const [, reads] = await evaluate(fixture, same)
    // Looks at this machine only; or k8sops.yaml declares that there is none.
    const { expect: expected, sources } = fixture.world.params ?? {}
    if (reads === 0 || expected === '0' || sources === '0') continue
    const [verdict] = await evaluate(fixture, emptied)
    if (verdict.status === 'pass') passed.push(fixture.gate)
  }
  expect([...new Set(passed)].filter((gate) => !ofAbsence.includes(gate))).toEqual([])
})

it('no gate passes while a part of what it asks for can not be read', async () => {
  const reading = []
  for (const fixture of passing) {
    const [verdict, reads] = await evaluate(fixture, same)
    expect(verdict.status, `${fixture.gate}/${fixture.file}`).toBe('pass')
    if (reads > 0 && !satisfiedByLess.includes(fixture.gate)) reading.push({ fixture, reads })
  }
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...reading).chain(({ fixture, reads }) =>
        fc.record({
          fixture: fc.constant(fixture),
          lost: fc.integer({ min: 0, max: reads - 1 }),
          why: fc.constantFrom('unreachable' as const, 'denied' as const, 'bad-output' as const, 'failed' as const),
        }),
      ),
      async ({ fixture, lost, why }) => {
        const [verdict] = await evaluate(fixture, (read, answer) =>
          read === lost ? { ok: false, why, detail: 'lost' } : answer,
        )
        expect(verdict.status, `${fixture.gate}/${fixture.file}, read ${lost}`).not.toBe('pass')
      },
    ),
    { numRuns: 500 },
  )
})

it('no gate passes on what a controller said of an older generation', async () => {
  const told = (object: KubeObject) => object.status?.observedGeneration !== undefined
  const older: Change = (_read, answer) =>
    answer.ok && Array.isArray(answer.value)
      ? { ok: true, value: answer.value.map((object) => (told(object) ? aged(object) : object)) }
      : answer
  const aged = (object: KubeObject): KubeObject => ({
    ...object,
    metadata: { ...object.metadata, generation: (object.metadata.generation ?? 0) + 1 },
  })
  let judged = 0
  for (const fixture of passing) {
    if (!Object.values(fixture.world.kube ?? {}).some((list) => Array.isArray(list) && list.some(told))) continue
    if (unasked(fixture.gate, fixture.file)) continue
    judged += 1
    const [verdict] = await evaluate(fixture, older)
    expect(verdict.status, `${fixture.gate}/${fixture.file}`).not.toBe('pass')
  }
  expect(judged).toBeGreaterThan(5)
})

it('every gate names a runbook that is there, and that of the gates has an entry for each that names it', () => {
  const text = (path: string) => readFileSync(join(import.meta.dirname, '../..', path), 'utf8')
  const runbooks = new Map<string, string>(
    [...new Set(Object.values(gates).map(({ runbook }) => runbook))].map((path) => [path, text(path)]),
  )
  const ofGates = [...runbooks.keys()].find((path) => path.endsWith('/gates.md')) ?? ''
  const named = Object.entries(gates).filter(([, { runbook }]) => runbook === ofGates)
  expect(named.filter(([id]) => !runbooks.get(ofGates)?.includes(`\`${id}\``)).map(([id]) => id)).toEqual([])
  const around = [...setsByGate().keys()]
  expect(around.filter((id) => gates[id as keyof typeof gates].runbook !== ofGates)).toEqual([])
})
