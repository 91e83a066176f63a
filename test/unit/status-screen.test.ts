/** What the live status draws with: one watch for many gates, and a screen that is given back as it was. */
import { Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { Chalk } from 'chalk'
import { expect, it } from 'vitest'
import { sharedWatches } from '../../src/lib/gates/shared-watches.ts'
import type { KubeObject, KubePort, Result } from '../../src/lib/types.ts'
import { openScreen } from '../../src/lib/ui/screen.ts'
import { statusScreen } from '../../src/lib/ui/status-screen.ts'

function terminal(isTTY = true) {
  const written: string[] = []
  const stream = new Writable({
    write(chunk, _, done) {
      written.push(String(chunk))
      done()
    },
  })
  return { written, stream: Object.assign(stream, { isTTY, columns: 40, rows: 4 }) }
}

it('draws the last of many pictures, only as many lines as there are, and gives the terminal back', async () => {
  const { written, stream } = terminal()
  const screen = openScreen(stream)
  screen?.show('first')
  for (let index = 0; index < 50; index++) screen?.show(`picture ${index}\nb\nc\nd\ne`)
  await delay(300)
  screen?.close()
  const pictures = written.filter((text) => text.includes('picture'))
  expect(pictures).toHaveLength(1)
  expect(pictures[0]).toContain('picture 49')
  // One row is left for the cursor.
  expect(pictures[0]?.split('\n')).toHaveLength(4)
  expect(written[0]).toBe('\u001b[?1049h\u001b[?25l')
  expect(written.at(-1)).toBe('\u001b[?25h\u001b[?1049l')
})

it('is none where there is no terminal', () => {
  expect(openScreen(terminal(false).stream)).toBeUndefined()
})

it('never writes over the width of the terminal', () => {
  const rows = [
    { cluster: 'infra', name: 'ceph', state: 'fail' as const, summary: 'x'.repeat(300), next: 'y'.repeat(300) },
    { cluster: 'apps', name: 'nodes', state: 'ok' as const, summary: '6 of 6 Ready', next: null },
  ]
  const text = statusScreen(rows, new Date('2026-11-30T12:00:00Z'), new Chalk({ level: 0 }), 100)
  expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100)
  expect(text).toContain('1 not well')
  expect(text).toContain('12:00:00 UTC')
})

it('keeps one watch for all that look at a kind, and tells latecomers what is known', async () => {
  const opened: string[] = []
  let tell: (objects: Result<KubeObject[]>) => void = () => {}
  const kube: Pick<KubePort, 'watch'> = {
    watch: async ({ kind }, _, onChange) => {
      opened.push(kind)
      tell = onChange
    },
  }
  const [all, first, second] = [new AbortController(), new AbortController(), new AbortController()]
  const shared = sharedWatches(kube as KubePort, all.signal)
  const seen: string[] = []
  const node = { apiVersion: 'v1', kind: 'Node' }
  const watching = [shared.watch(node, first.signal, () => seen.push('first'))]
  tell({ ok: true, value: [] })
  watching.push(shared.watch({ kind: 'Node', apiVersion: 'v1' }, second.signal, () => seen.push('second')))
  expect(seen).toEqual(['first', 'second'])
  first.abort()
  tell({ ok: true, value: [] })
  expect(seen).toEqual(['first', 'second', 'second'])
  second.abort()
  await Promise.all(watching)
  expect(opened).toEqual(['Node'])
})
