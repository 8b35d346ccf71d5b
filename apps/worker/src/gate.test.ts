import { getEventListeners } from 'node:events'
import { Gate } from './gate'

const never = () => new AbortController().signal

test('lets through at once what comes while it is open', async () => {
  await expect(new Gate(true).passed(never())).resolves.toBeUndefined()
})

test('holds everybody until it opens, then lets all through', async () => {
  const gate = new Gate()
  const passed: number[] = []
  const waiting = [1, 2, 3].map((n) => gate.passed(never()).then(() => passed.push(n)))
  await Promise.resolve()
  expect(passed).toEqual([])
  gate.set(true)
  await Promise.all(waiting)
  expect(passed).toEqual([1, 2, 3])
})

test('holds again after it was shut', async () => {
  const gate = new Gate(true)
  gate.set(false)
  const passed = jest.fn()
  const waiting = gate.passed(never()).then(passed)
  await Promise.resolve()
  expect(passed).not.toHaveBeenCalled()
  gate.set(true)
  await waiting
})

test('tells listeners of changes, and of nothing else', () => {
  const gate = new Gate()
  const heard: boolean[] = []
  gate.onChange((open) => heard.push(open))
  for (const open of [false, true, true, false, false, true]) gate.set(open)
  expect(heard).toEqual([true, false, true])
})

test('rejects with the reason of a signal that aborts, before or while it is waited for', async () => {
  const gate = new Gate()
  const gone = new AbortController()
  const waiting = gate.passed(gone.signal)
  gone.abort(new Error('the worker stops'))
  await expect(waiting).rejects.toThrow('the worker stops')
  await expect(gate.passed(gone.signal)).rejects.toThrow('the worker stops')
  await expect(new Gate(true).passed(gone.signal)).rejects.toThrow('the worker stops')
})

test('keeps nothing of those who have passed or gone', async () => {
  const gate = new Gate()
  const waiting = () => (gate as unknown as { waiting: unknown[] }).waiting
  const stays = new AbortController()
  const goes = new AbortController()
  const staying = gate.passed(stays.signal)
  const going = gate.passed(goes.signal)
  goes.abort(new Error('gone'))
  await expect(going).rejects.toThrow('gone')
  expect(waiting()).toHaveLength(1)
  gate.set(true)
  await staying
  expect(getEventListeners(stays.signal, 'abort')).toEqual([])
  expect(waiting()).toHaveLength(0)
})
