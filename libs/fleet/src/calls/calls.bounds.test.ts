import { eventually } from '../../../../test/support/eventually'
import { useFleet } from '../../../../test/support/fleet-on-redis'
import { steady } from '../../../../test/support/streamed'
import { asked, flood, never, read, someone, testCaller, testDock } from '../testing/call-ends'
import type { Answerer } from './call'
import type { OpenCalls } from './caller'
import { callsPerCaller, callsPerDock, smallWindowBytes, windowBytes } from './limits'

const use = useFleet()

test('a dock answers so many calls at a time and no more', async () => {
  const hostname = 'dock-2'
  // At the usual pace: opening so many at once takes longer than the quick one waits for anybody.
  const busy = await testDock(use.fleet(), use.server().url, { never, one: async () => 1 }, { hostname })
  const api = testCaller(use.fleet(), use.server().url)
  const question = { dock: hostname, kind: 'never', withinMs: 20_000 }
  const by = (n: number) => ({ ...someone, subject: `caller-${Math.floor(n / callsPerCaller)}` })
  const held = await Promise.all(
    Array.from({ length: callsPerDock }, (_, n) => api.open(asked({ ...question, identity: by(n) }))),
  )
  const more = api.ask(asked({ dock: hostname, kind: 'one' }))
  await expect(more).rejects.toMatchObject({ code: 'too_many_streams', status: 429 })
  expect(busy.refusals).toEqual([])
  held[0]?.cancel()
  await eventually(() => busy.count < callsPerDock)
  await expect(api.ask(asked({ dock: hostname, kind: 'one' }))).resolves.toBe(1)
  expect(api.count).toBe(callsPerDock - 1)
  await api.close()
  await eventually(() => busy.count === 0)
  await busy.close()
}, 30_000)

test('a dock answers fewer of one identity, and those of others beside them', async () => {
  const hostname = 'dock-3'
  const busy = await testDock(use.fleet(), use.server().url, { never, one: async () => 1 }, { hostname })
  const replicas = [1, 2].map(() => testCaller(use.fleet(), use.server().url)) as [OpenCalls, OpenCalls]
  const question = { dock: hostname, kind: 'never', withinMs: 20_000 }
  const held = await Promise.all(
    Array.from({ length: callsPerCaller }, (_, n) => replicas[n % 2 ? 0 : 1].open(asked(question))),
  )
  const one = { dock: hostname, kind: 'one' }
  await expect(replicas[0].ask(asked(one))).rejects.toMatchObject({ code: 'too_many_streams', message: /250 .*anna/ })
  await expect(replicas[0].ask(asked({ ...one, identity: { ...someone, subject: 'ben' } }))).resolves.toBe(1)
  held[0]?.cancel()
  await eventually(() => busy.count < callsPerCaller)
  await expect(replicas[0].ask(asked(one))).resolves.toBe(1)
  await Promise.all(replicas.map((api) => api.close()))
  await busy.close()
}, 30_000)

test('where a small window is asked for nothing more is under way, and all of it comes', async () => {
  const { answerer, sent } = flood()
  const all = Buffer.from(Array.from({ length: 3 * windowBytes }, (_, n) => n % 251))
  const rooms: number[] = []
  const whole: Answerer = async (call) => {
    await call.begin()
    rooms.push(call.room)
    await call.send(1, all)
  }
  const dock = await testDock(use.fleet(), use.server().url, { flood: answerer, whole })
  const api = testCaller(use.fleet(), use.server().url)
  const window = smallWindowBytes
  const call = await api.open(asked({ kind: 'whole', window }))
  expect((await read(call.output)).equals(all)).toBe(true)
  expect(rooms[0]).toBeLessThan(window)
  expect(rooms[0]).toBeGreaterThan(window - 1_000)
  const unread = await api.open(asked({ kind: 'flood', window }))
  await steady(sent)
  expect(sent()).toBeLessThanOrEqual(window)
  unread.cancel()
  await expect(api.open(asked({ kind: 'flood', window: 1 }))).rejects.toMatchObject({ code: 'invalid_request' })
  await api.close()
  await dock.close()
})
