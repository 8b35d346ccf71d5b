import { ByTime } from './by-time'
import type { Source } from './log-forms'
import type { Logged } from './log-lines'

const source = (name: string): Source => ({ id: name, name, dock: 'dock-a' })
const [one, other] = [source('one'), source('other')]

const line = (n: number): Logged => ({
  stream: 'stdout',
  time: `2026-11-23T07:30:00.00000000${n}Z`,
  bytes: Buffer.from(`line ${n}`),
  begins: true,
  ends: true,
  goesOn: false,
  waiting: null,
})

let merging: ByTime
let written: string[]
let running: Promise<void>

beforeEach(() => {
  jest.useFakeTimers()
  merging = new ByTime()
  written = []
  running = merging.run(async (some) => {
    written.push(...some.flatMap(({ events }) => events.map((event) => String((event as Logged).bytes))))
  })
})

afterEach(async () => {
  merging.finish()
  await jest.advanceTimersByTimeAsync(1_000)
  await running
  jest.useRealTimers()
})

test('what has come waits for one that has just begun, for a second', async () => {
  merging.join(one, false)
  merging.join(other, false)
  await merging.push(one, [line(2)])
  await jest.advanceTimersByTimeAsync(990)
  expect(written).toEqual([])
  await jest.advanceTimersByTimeAsync(20)
  expect(written).toEqual(['line 2'])
})

test('what it sends within that time is put in its place', async () => {
  merging.join(one, false)
  merging.join(other, false)
  await merging.push(one, [line(2), line(4)])
  await jest.advanceTimersByTimeAsync(500)
  await merging.push(other, [line(1), line(3), line(5)])
  merging.leave(one)
  merging.leave(other)
  await jest.advanceTimersByTimeAsync(0)
  expect(written).toEqual(['line 1', 'line 2', 'line 3', 'line 4', 'line 5'])
})

test('one that has sent something is waited for a little, and one that has left or come back is not', async () => {
  merging.join(one, false)
  merging.join(other, true)
  await merging.push(one, [line(1)])
  await jest.advanceTimersByTimeAsync(0)
  expect(written).toEqual(['line 1'])
  await merging.push(other, [line(2)])
  await jest.advanceTimersByTimeAsync(150)
  expect(written).toEqual(['line 1'])
  await jest.advanceTimersByTimeAsync(60)
  expect(written).toEqual(['line 1', 'line 2'])
  merging.leave(other)
  await merging.push(one, [line(3)])
  await jest.advanceTimersByTimeAsync(0)
  expect(written).toEqual(['line 1', 'line 2', 'line 3'])
})

test('whoever has sent very much waits until it is written, and what was dropped is not written', async () => {
  merging.join(one, false)
  merging.join(other, false)
  let pushed = false
  const big = { ...line(1), bytes: Buffer.alloc(100_000, 'x') }
  void merging.push(one, [big]).then(() => {
    pushed = true
  })
  await jest.advanceTimersByTimeAsync(500)
  expect(pushed).toBe(false)
  await jest.advanceTimersByTimeAsync(600)
  expect(pushed).toBe(true)
  merging.join(other, false)
  await merging.push(one, [line(2)])
  merging.leave(one, true)
  await jest.advanceTimersByTimeAsync(2_000)
  expect(written).toEqual([String(big.bytes)])
})
