import { EventEmitter } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { watchSignals } from '../../src/lib/engine/interrupts.ts'

test('the first signal stops, the second kills, whichever they are', async () => {
  const emitter = new EventEmitter()
  const watch = watchSignals(emitter)
  emitter.emit('SIGINT', 'SIGINT')
  expect([watch.stop.aborted, watch.kill.aborted]).toEqual([true, false])
  // GitHub Actions: SIGTERM after SIGINT.
  emitter.emit('SIGTERM', 'SIGTERM')
  expect(watch.kill.aborted).toBe(true)
})

test('one key press that arrives twice (terminal and wrapper) is one', async () => {
  const emitter = new EventEmitter()
  const watch = watchSignals(emitter)
  emitter.emit('SIGINT', 'SIGINT')
  emitter.emit('SIGINT', 'SIGINT')
  expect(watch.kill.aborted).toBe(false)
  await sleep(250)
  emitter.emit('SIGINT', 'SIGINT')
  expect(watch.kill.aborted).toBe(true)
})

test('after the second one, and after release, signals do what they do by default', async () => {
  const emitter = new EventEmitter()
  const watch = watchSignals(emitter)
  expect(emitter.listenerCount('SIGINT')).toBe(1)
  emitter.emit('SIGINT', 'SIGINT')
  emitter.emit('SIGTERM', 'SIGTERM')
  await sleep(250)
  expect(emitter.listenerCount('SIGINT')).toBe(0)
  const other = watchSignals(emitter)
  other.release()
  expect(emitter.eventNames()).toEqual([])
  watch.release()
})
