import type { RedisClient } from '@deblox/fleet/redis'
import { setTimeout as pause } from 'node:timers/promises'
import { useFleet } from '../../../../test/support/fleet-on-redis'
import { OwnReads } from './own-reads'

const use = useFleet()
let own: OwnReads

beforeEach(() => {
  own = new OwnReads(use.server().url, use.fleet().keys, () => undefined)
})

afterEach(() => own.close())

/** Looks every few milliseconds; how often the connection was given up. */
async function lookFor(ms: number): Promise<number> {
  const redis = (own as unknown as { redis: RedisClient }).redis
  const renewed = jest.spyOn(redis, 'disconnect')
  for (const until = performance.now() + ms; performance.now() < until; await pause(5)) own.renewIfSilent(40)
  const { length } = renewed.mock.calls
  renewed.mockRestore()
  return length
}

test('a connection of which nothing is asked, or that answers, is kept', async () => {
  const last = await own.reads.begin()
  expect(await lookFor(150)).toBe(0)
  await expect(own.reads.tail()).resolves.toBe(last)
})

test('one that says nothing is given longer each time, so that what takes long is answered in the end', async () => {
  const last = await own.reads.begin()
  await use.server().pause()
  const asked = own.reads.tail()
  const renewed = await lookFor(500)
  use.server().resume()
  // After 40, 80, 160 … ms.
  expect([2, 3]).toContain(renewed)
  await expect(asked).resolves.toBe(last)
  expect(await lookFor(100)).toBe(0)
})
