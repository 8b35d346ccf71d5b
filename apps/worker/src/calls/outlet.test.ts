import { setTimeout as wait } from 'node:timers/promises'
import type { Channel } from '@deblox/fleet/calls/call'
import { AnsweringDouble } from '../testing/answering-double'
import { DroppedLines } from './dropped-lines'
import { DroppedBytes, Outlet } from './outlet'

const patienceMs = 20

function made(dropping = new DroppedLines() as DroppedLines | DroppedBytes) {
  const call = new AnsweringDouble({ kind: 'read-logs', params: {} }, 10)
  const outlet = new Outlet(call, patienceMs, dropping)
  const give = (channel: Channel, text: string) => outlet.give({ channel, bytes: Buffer.from(text) })
  const sent = () => call.pieces.map(({ channel, bytes }) => `${channel} ${bytes.toString()}`)
  return { call, outlet, give, sent }
}

const mark = (lines: number, bytes: number) => `0 ${JSON.stringify({ dropped: { lines, bytes } })}\n`

test('sends what a caller has room for, and waits for him a little', async () => {
  const { call, outlet, give, sent } = made()
  await give(1, 'one\n')
  call.stall()
  const slow = give(1, 'more than he has room for\n')
  await call.readOn()
  await slow
  await give(2, 'two\n')
  await outlet.end()
  expect(sent()).toEqual(['1 one\n', '1 more than he has room for\n', '2 two\n'])
})

test('drops what comes while nothing goes through, and tells how much it was, where it was', async () => {
  const { call, outlet, give, sent } = made()
  call.stall()
  await give(1, 'fills his room\n')
  for (let count = 0; count < 1_000; count++) await give(2, 'dropped\n')
  expect(call.pieces).toHaveLength(1)
  await call.readOn()
  await give(1, 'next\n')
  await outlet.end()
  expect(sent()).toEqual(['1 fills his room\n', mark(1_000, 8_000), '1 next\n'])
})

test('drops nothing any more once it is to keep all, however slow the caller is', async () => {
  const { call, outlet, give, sent } = made()
  call.stall()
  await give(1, 'fills his room\n')
  await give(1, 'dropped\n')
  const keeping = outlet.keep()
  await call.readOn()
  await keeping
  call.stall()
  const slow = give(1, 'more than he has room for\n').then(() => give(1, 'last\n'))
  // Longer than whoever is dropped for is waited for.
  await expect(Promise.race([slow, wait(5 * patienceMs, 'waits')])).resolves.toBe('waits')
  await call.readOn()
  await slow
  await outlet.end()
  expect(sent()).toEqual(['1 fills his room\n', mark(1, 8), '1 more than he has room for\n', '1 last\n'])
})

test('drops whole lines: one that was begun is cut and ended, one whose beginning was dropped is dropped', async () => {
  const { call, outlet, give, sent } = made()
  call.stall()
  await give(1, 'begun and cut')
  await give(1, 'rest\nwhole\nbeginning ')
  await give(2, 'bad ')
  await call.readOn()
  await give(1, 'of one\nafter\n')
  await give(2, 'end\ngood\n')
  await outlet.end()
  expect(sent()).toEqual(['1 begun and cut', mark(3, 32), '1 \n', '1 after\n', mark(1, 4), '2 good\n'])
})

test('tells at the end what was dropped last', async () => {
  const { call, outlet, give, sent } = made()
  call.stall()
  await give(1, 'fills his room\n')
  await give(1, 'dropped\n')
  await call.readOn()
  await outlet.end()
  expect(sent()).toEqual(['1 fills his room\n', mark(1, 8)])
})

test('of bytes tells how many they were', async () => {
  const { call, outlet, give, sent } = made(new DroppedBytes((bytes) => Buffer.from(`[${bytes}]`)))
  call.stall()
  await give(1, 'fills his room')
  await give(1, 'dropped')
  await call.readOn()
  await give(1, 'next')
  await outlet.end()
  expect(sent()).toEqual(['1 fills his room', '0 [7]', '1 next'])
})

test('fails when the call has ended, whether something waits or not', async () => {
  const { call, outlet, give } = made()
  call.stall()
  const waiting = give(1, 'fills his room')
  call.leave()
  await expect(waiting).rejects.toThrow('the caller has left')
  await expect(give(1, 'more')).rejects.toThrow('the caller has left')
  await expect(outlet.end()).rejects.toThrow('the caller has left')
})
