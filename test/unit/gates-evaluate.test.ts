import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { createGatePort, type GateSources, type Probe } from '../../src/lib/gates/evaluate.ts'
import type { Gate } from '../../src/lib/gates/types.ts'
import type { KubeObject, KubePort, Result, TalosPort, Verdict } from '../../src/lib/types.ts'
import { sourcesOf } from './gates-world.ts'

const signal = () => new AbortController().signal
const soon = (ms: number) => performance.now() + ms

const definitions: Record<string, Gate> = {
  'things-there': {
    title: 'things are there',
    object: { apiVersion: 'v1', kind: 'Thing' },
    expect: { atLeast: 1, every: [{ condition: 'Ready', is: 'True' }] },
    params: [],
    runbook: 'r',
  },
  'things-listed': {
    title: 'things exist',
    object: { apiVersion: 'v1', kind: 'Thing' },
    expect: { atLeast: 1, every: [] },
    params: [],
    runbook: 'r',
  },
  'things-stable': {
    title: 'things stay there',
    object: { apiVersion: 'v1', kind: 'Thing' },
    expect: { atLeast: 1, every: [] },
    params: [],
    stableSec: 1,
    runbook: 'r',
  },
  both: {
    title: 'things and others',
    all: [
      { object: { apiVersion: 'v1', kind: 'Thing' }, expect: { atLeast: 1, every: [] } },
      { talos: { nodes: '$node', type: 'version' }, expect: { atLeast: 1, every: [] } },
    ],
    params: ['node'],
    everySec: 0.01,
    runbook: 'r',
  },
  fresh: {
    title: 'things were checked lately',
    object: { apiVersion: 'v1', kind: 'Thing' },
    expect: { atLeast: 1, every: [{ path: 'status.checked', youngerThanSec: 60 }] },
    params: [],
    everySec: 0.01,
    stableSec: 5,
    runbook: 'r',
  },
  polled: { title: 'polled', probe: 'op-signed-in', params: [], everySec: 0.01, runbook: 'r' },
}

const thing = (status: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Thing',
  metadata: { name: 'one' },
  status: { conditions: [{ type: 'Ready', status, message: `it is ${status}` }] },
})

/** A KubePort whose watch plays a script of lists, one each `stepMs`. */
function scripted(lists: Result<KubeObject[]>[], stepMs: number, seen: { ended: boolean }): KubePort {
  return {
    list: async () => lists[0] as Result<KubeObject[]>,
    raw: async () => ({ ok: false, why: 'failed', detail: 'not here' }),
    async watch(_ref, watchSignal, onChange) {
      for (const list of lists) {
        onChange(list)
        await delay(stepMs, undefined, { signal: watchSignal }).catch(() => {})
      }
      await new Promise((resolve) => {
        if (watchSignal.aborted) resolve(undefined)
        watchSignal.addEventListener('abort', resolve)
      })
      seen.ended = true
    },
  }
}

const ok = (...objects: KubeObject[]): Result<KubeObject[]> => ({ ok: true, value: objects })

function portOf(kube: KubePort, probe?: Probe, timeScale = 1) {
  const sources = sourcesOf({ reason: '' })
  const probes: GateSources['probes'] = async (...reads) => ({
    ...(await sources.probes(...reads)),
    ...(probe ? { 'op-signed-in': probe } : {}),
  })
  return createGatePort({ ...sources, kube, probes, timeScale }, definitions)
}

describe('waitFor', () => {
  it('passes at the moment of the change, tells what it waits for, and ends its watch', async () => {
    const seen = { ended: false }
    const port = portOf(scripted([ok(), ok(thing('False')), ok(thing('True'))], 20, seen))
    const lines: string[][] = []
    const started = performance.now()
    const verdict = await port.waitFor(
      { gate: 'things-there' },
      { deadline: soon(25_000), signal: signal(), onWaiting: (waiting) => lines.push(waiting) },
    )
    expect(verdict.status).toBe('pass')
    expect(performance.now() - started).toBeLessThan(20_000)
    expect(lines).toEqual([['Thing: 0 there, at least 1 expected'], ['Thing one: it is False']])
    await delay(10)
    expect(seen.ended).toBe(true)
  })

  it('gives the last verdict at the deadline', async () => {
    const port = portOf(scripted([ok(thing('False'))], 5, { ended: false }))
    const verdict = await port.waitFor(
      { gate: 'things-there' },
      { deadline: soon(50), signal: signal(), onWaiting: () => {} },
    )
    expect(verdict).toMatchObject({ status: 'fail', detail: 'Thing one: it is False' })
  })

  it('never passes on what it could not read', async () => {
    const port = portOf(scripted([{ ok: false, why: 'unreachable', detail: 'no route' }], 5, { ended: false }))
    const verdict = await port.waitFor(
      { gate: 'things-there' },
      { deadline: soon(50), signal: signal(), onWaiting: () => {} },
    )
    expect(verdict).toMatchObject({ status: 'unknown', detail: 'no route', cause: 'unreachable' })
  })

  it('starts the stable window anew after a break', async () => {
    const lists = [ok(thing('True')), ok(), ok(thing('True'))]
    const port = portOf(scripted(lists, 60, { ended: false }), undefined, 0.1)
    const started = performance.now()
    const verdict = await port.waitFor(
      { gate: 'things-stable' },
      { deadline: soon(5000), signal: signal(), onWaiting: () => {} },
    )
    expect(verdict.status).toBe('pass')
    // Broken after 60 ms, there again after 120 ms, stable 100 ms later.
    expect(performance.now() - started).toBeGreaterThanOrEqual(210)
  })

  it('does not pass when the deadline comes before the window is over', async () => {
    const port = portOf(scripted([ok(thing('True'))], 5, { ended: false }))
    const verdict = await port.waitFor(
      { gate: 'things-stable' },
      { deadline: soon(50), signal: signal(), onWaiting: () => {} },
    )
    expect(verdict).toMatchObject({ status: 'fail', detail: expect.stringContaining('not long enough') })
  })

  it('passes when all parts hold, whichever comes last', async () => {
    const { talos } = sourcesOf({ reason: '' })
    let asked = 0
    const get: TalosPort['get'] = async () =>
      ++asked < 3 ? { ok: true, value: [] } : { ok: true, value: [{ metadata: { id: 'version' }, spec: {} }] }
    const kube = scripted([ok(), ok(thing('True'))], 20, { ended: false })
    const port = createGatePort({ ...sourcesOf({ reason: '' }), kube, talos: { ...talos, get } }, definitions)
    const lines: string[][] = []
    const verdict = await port.waitFor(
      { gate: 'both', params: { node: '10.0.0.1' } },
      { deadline: soon(5000), signal: signal(), onWaiting: (waiting) => lines.push(waiting) },
    )
    expect(verdict.status).toBe('pass')
    expect(lines[0]).toEqual(['Thing: 0 there, at least 1 expected', 'version 10.0.0.1: 0 there, at least 1 expected'])
  })

  it('notices that a watched object has grown old, though nothing tells', async () => {
    const started = performance.now()
    const checked: KubeObject = { ...thing('True'), status: { checked: '2026-11-24T12:00:00Z' } }
    // 59 s old at first, and a second later too old.
    const now = () => Date.parse('2026-11-24T12:00:59Z') + (performance.now() - started) * 20
    const kube = scripted([ok(checked)], 5, { ended: false })
    const port = createGatePort({ ...sourcesOf({ reason: '' }), kube, now }, definitions)
    const verdict = await port.waitFor(
      { gate: 'fresh' },
      { deadline: soon(400), signal: signal(), onWaiting: () => {} },
    )
    expect(verdict).toMatchObject({ status: 'fail', detail: expect.stringContaining('more than 60 s') })
  })

  it('holds a check to its own stable window', async () => {
    const port = portOf(scripted([ok(thing('True'))], 5, { ended: false }), undefined, 0.1)
    const started = performance.now()
    const verdict = await port.waitFor(
      { gate: 'things-there', stableSec: 2 },
      { deadline: soon(5000), signal: signal(), onWaiting: () => {} },
    )
    expect(verdict.status).toBe('pass')
    expect(performance.now() - started).toBeGreaterThanOrEqual(195)
  })

  it('asks a probe again until it passes', async () => {
    let calls = 0
    const probe = async (): Promise<Verdict> =>
      ++calls < 3 ? { status: 'fail', detail: `try ${calls}` } : { status: 'pass', detail: 'in' }
    const port = portOf(scripted([], 1, { ended: false }), probe)
    const verdict = await port.waitFor(
      { gate: 'polled' },
      { deadline: soon(2000), signal: signal(), onWaiting: () => {} },
    )
    expect([verdict.detail, calls]).toEqual(['in', 3])
  })

  it('does not wait for what waiting cannot change', async () => {
    const probe = async (): Promise<Verdict> => ({ status: 'fail', detail: 'foreign', final: true })
    const port = portOf(scripted([], 1, { ended: false }), probe)
    const started = performance.now()
    const verdict = await port.waitFor(
      { gate: 'polled' },
      { deadline: soon(25_000), signal: signal(), onWaiting: () => {} },
    )
    expect(verdict.detail).toBe('foreign')
    expect(performance.now() - started).toBeLessThan(20_000)
  })

  it('ends at once when it is interrupted', async () => {
    const stop = new AbortController()
    const port = portOf(scripted([ok(thing('False'))], 5, { ended: false }))
    setTimeout(() => stop.abort(), 20)
    const started = performance.now()
    const verdict = await port.waitFor(
      { gate: 'things-there' },
      { deadline: soon(60_000), signal: stop.signal, onWaiting: () => {} },
    )
    expect(verdict.status).toBe('fail')
    expect(performance.now() - started).toBeLessThan(20_000)
  })

  it('reports a probe that throws as the bug that it is', async () => {
    const probe = async (): Promise<Verdict> => {
      throw new TypeError('bug')
    }
    const port = portOf(scripted([], 1, { ended: false }), probe)
    await expect(
      port.waitFor({ gate: 'polled' }, { deadline: soon(500), signal: signal(), onWaiting: () => {} }),
    ).rejects.toThrow('bug')
  })
})

describe('together', () => {
  const counted = (kube: KubePort) => {
    const asked: string[] = []
    const port: KubePort = {
      ...kube,
      list: async ({ kind }) => {
        asked.push(`list ${kind}`)
        return ok(thing('False'))
      },
      watch: (ref, watchSignal, onChange) => {
        asked.push(`watch ${ref.kind}`)
        return kube.watch(ref, watchSignal, onChange)
      },
    }
    return { asked, port }
  }

  it('lists once and watches once, and only what does not hold yet, until the signal aborts', async () => {
    const seen = { ended: false }
    const { asked, port } = counted(scripted([ok(thing('False')), ok(thing('True'))], 20, seen))
    const over = new AbortController()
    const gates = portOf(port).together(over.signal)
    const wait = { deadline: soon(25_000), signal: signal(), onWaiting: () => {} }
    const checks = ['things-there', 'things-there', 'things-listed']
    const verdicts = await Promise.all(checks.map((gate) => gates.waitFor({ gate }, wait)))
    expect(verdicts.map(({ status }) => status)).toEqual(['pass', 'pass', 'pass'])
    expect(asked).toEqual(['list Thing', 'watch Thing'])
    over.abort()
    await delay(10)
    expect(seen.ended).toBe(true)
  })

  it('watches at once what has to hold for a while', async () => {
    const { asked, port } = counted(scripted([ok(thing('True'))], 20, { ended: false }))
    const gates = portOf(port, undefined, 0.01).together(signal())
    const verdict = await gates.waitFor(
      { gate: 'things-stable' },
      { deadline: soon(25_000), signal: signal(), onWaiting: () => {} },
    )
    expect(verdict.status).toBe('pass')
    expect(asked).toEqual(['watch Thing'])
  })
})

it('tells what its controller is only just looking at from what it found amiss', async () => {
  const settling = async (...status: string[]) => {
    const list = async () => ok(...status.map(thing))
    const verdict = await portOf({ ...scripted([], 1, { ended: false }), list }).evaluate(
      { gate: 'things-there' },
      signal(),
    )
    return verdict.status !== 'pass' && verdict.settling === true
  }
  expect(await settling('True', 'Unknown')).toBe(true)
  expect(await settling('Unknown', 'False')).toBe(false)
  expect(await settling()).toBe(false)
})

describe('checks', () => {
  const port = createGatePort(sourcesOf({ reason: '' }))
  it.each([
    [{ gate: 'no-such-gate' }, 'there is no gate "no-such-gate"'],
    [{ gate: 'nodes-ready' }, 'gate nodes-ready needs the parameter names'],
    [{ gate: 'nodes-ready', params: { names: 'a', nmae: 'b' } }, 'gate nodes-ready knows no parameter nmae'],
  ])('%o is refused', async (check, message) => {
    await expect(port.evaluate(check, signal())).rejects.toThrow(message)
  })

  it('an interrupted look is unknown', async () => {
    expect(await port.evaluate({ gate: 'op-signed-in' }, AbortSignal.abort())).toMatchObject({ status: 'unknown' })
  })
})

it('tells why a workload is not there from its pods', async () => {
  const deployment: KubeObject = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'app', namespace: 'x', generation: 1 },
    spec: { replicas: 1, selector: { matchLabels: { app: 'app' } } },
    status: { observedGeneration: 1, conditions: [{ type: 'Available', status: 'False', message: 'not yet' }] },
  }
  const pod: KubeObject = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'app-1', namespace: 'x', labels: { app: 'app' } },
    status: {
      containerStatuses: [
        { name: 'app', ready: false, state: { waiting: { reason: 'ImagePullBackOff', message: 'no such image' } } },
      ],
    },
  }
  const sources = sourcesOf({ reason: '', kube: { 'apps/v1/Deployment': [deployment], 'v1/Pod': [pod] } })
  const port = createGatePort(sources)
  const lines: string[] = []
  await port.waitFor(
    { gate: 'deployment-available', params: { namespace: 'x', name: 'app' } },
    { deadline: soon(200), signal: signal(), onWaiting: (waiting) => lines.push(...waiting) },
  )
  expect(lines).toContain('Pod x/app-1: app: ImagePullBackOff: no such image')
})
