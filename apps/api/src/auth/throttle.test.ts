import { connectRedis, whenReady } from '@deblox/fleet/redis'
import { useFleet } from '../../../../test/support/fleet-on-redis'
import { failuresPerMinute, throttleOf } from './throttle'

const use = useFleet()
const throttle = () => throttleOf(use.redis(), use.fleet().keys.failedLogins)
const tooMany = expect.objectContaining({ code: 'too_many_requests', status: 429 })
const id = '0123456789abcdef'

const failOften = async (count: number, fail: (n: number) => Promise<void>): Promise<void> => {
  for (let n = 0; n < count; n++) await fail(n)
}

test('twenty failures a minute from an address are told as such, the next one as too many', async () => {
  const replica = throttle()
  await failOften(failuresPerMinute, () => replica.failed('10.0.0.1'))
  await expect(replica.check('10.0.0.1')).resolves.toBeUndefined()
  const refused = replica.failed('10.0.0.1')
  await expect(refused).rejects.toEqual(tooMany)
  const { details } = (await refused.catch((error: unknown) => error)) as { details: { retryAfter: number } }
  expect(details.retryAfter).toBeGreaterThan(0)
  expect(details.retryAfter).toBeLessThanOrEqual(60)
  await expect(replica.check('10.0.0.1')).rejects.toEqual(tooMany)
  await expect(replica.failed('10.0.0.2')).resolves.toBeUndefined()
  await expect(replica.check('10.0.0.2')).resolves.toBeUndefined()
})

test('they are counted over all replicas', async () => {
  const replicas = [throttle(), throttle(), throttle()]
  await failOften(failuresPerMinute, async (n) => replicas[n % 3]?.failed('10.0.0.1'))
  for (const replica of replicas) await expect(replica.failed('10.0.0.1')).rejects.toEqual(tooMany)
  await expect(throttle().check('10.0.0.1')).rejects.toEqual(tooMany)
})

test('those with one token’s id are counted wherever they come from', async () => {
  const replica = throttle()
  await failOften(failuresPerMinute, (n) => replica.failed(`10.0.1.${n}`, id))
  await expect(replica.failed('10.0.2.1', id)).rejects.toEqual(tooMany)
  await expect(replica.failed('10.0.2.1', 'fedcba9876543210')).resolves.toBeUndefined()
})

test('after the minute it begins anew', async () => {
  await failOften(failuresPerMinute, () => throttle().failed('10.0.0.1'))
  const counter = (await use.redis().keys(`${use.fleet().keys.failedLogins}:*`))[0] as string
  const life = await use.redis().pttl(counter)
  expect(life).toBeGreaterThan(0)
  expect(life).toBeLessThanOrEqual(60_000)
  await use.redis().del(counter)
  await expect(throttle().failed('10.0.0.1')).resolves.toBeUndefined()
})

test('while Redis is away nobody is locked out, and nobody goes uncounted', async () => {
  const hasty = connectRedis(use.server().url, 'fail-fast')
  hasty.on('error', () => {})
  await whenReady(hasty, 10_000)
  const replica = throttleOf(hasty, use.fleet().keys.failedLogins)
  await use.server().stop()
  await expect(replica.check('10.0.0.1')).resolves.toBeUndefined()
  await failOften(failuresPerMinute, () => replica.failed('10.0.0.1'))
  await expect(replica.failed('10.0.0.1')).rejects.toEqual(tooMany)
  await expect(replica.check('10.0.0.1')).rejects.toEqual(tooMany)
  await expect(replica.failed('10.0.0.2')).resolves.toBeUndefined()
  await use.server().start()
  hasty.disconnect()
})

test('an IPv6 customer’s addresses count as one', async () => {
  const replica = throttle()
  await failOften(failuresPerMinute, (n) => replica.failed(`2001:db8:0:1::${n}`))
  await expect(replica.failed('2001:db8:0:1:ffff::1')).rejects.toEqual(tooMany)
  await expect(replica.failed('2001:db8:0:2::1')).resolves.toBeUndefined()
})
