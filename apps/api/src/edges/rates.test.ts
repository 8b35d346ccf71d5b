import { connectRedis, type RedisClient, whenReady } from '@deblox/fleet/redis'
import { eventually } from '../../../../test/support/eventually'
import { useFleet } from '../../../../test/support/fleet-on-redis'
import { type Rates, ratesOf, type RateSettings } from './rates'

const use = useFleet()
const open: Rates[] = []

afterEach(() => {
  for (const rates of open.splice(0)) rates.stop()
})

function rates(settings: Partial<RateSettings> = {}, redis: RedisClient = use.redis()): Rates {
  const made = ratesOf(redis, use.fleet().keys.rates, { perIdentity: 10, perAddress: 10, ...settings })
  open.push(made)
  return made
}

/** How many of so many requests at once are let in. */
async function letIn(count: number, ask: () => Promise<void>): Promise<number> {
  const asked = await Promise.allSettled(Array.from({ length: count }, ask))
  return asked.filter(({ status }) => status === 'fulfilled').length
}

test.each(['ofIdentity', 'ofAddress'] as const)(
  '%s lets twice the rate in at once, and refuses what is more',
  async (of) => {
    const one = rates()
    expect(await letIn(30, () => one[of]('192.0.2.1'))).toBe(20)
    await expect(one[of]('192.0.2.1')).rejects.toMatchObject({
      code: 'too_many_requests',
      status: 429,
      message: expect.stringMatching(/^requests: expected at most 10 a second \(DEBLOX_RATE_PER_(IDENTITY|ADDRESS)\)/),
      details: { retryAfter: expect.any(Number) },
    })
    // Others are not held responsible.
    expect(await letIn(5, () => one[of]('192.0.2.2'))).toBe(5)
  },
)

test('who was refused is let in again when his time is over', async () => {
  const one = rates()
  await letIn(30, () => one.ofIdentity('anna'))
  await eventually(async () => expect(await letIn(1, () => one.ofIdentity('anna'))).toBe(1))
})

test('addresses of one network of IPv6 count as one', async () => {
  const one = rates()
  let n = 0
  expect(await letIn(30, () => one.ofAddress(`2001:db8:1:2::${++n}`))).toBe(20)
})

test('0 is no limit', async () => {
  const one = rates({ perIdentity: 0 })
  expect(await letIn(1_000, () => one.ofIdentity('anna'))).toBe(1_000)
})

test('what came to one replica counts for the others', async () => {
  const [one, two] = [rates({ perIdentity: 200 }), rates({ perIdentity: 200 })]
  const spread = async () =>
    (await letIn(100, () => one.ofIdentity('anna'))) + (await letIn(100, () => two.ofIdentity('anna')))
  // Each gets fewer than 400 in two seconds; together they get more.
  expect(await eventually(spread, (count) => count < 200, { every: 700 })).toBeLessThan(200)
})

test('while Redis is away it counts by itself, and fails nobody', async () => {
  const client = connectRedis(use.server().url, 'fail-fast')
  await whenReady(client, 5_000)
  client.disconnect()
  const one = rates({}, client)
  expect(await letIn(30, () => one.ofIdentity('anna'))).toBe(20)
})

test('a request does not wait for Redis', async () => {
  const one = rates({ perIdentity: 1_000_000, perAddress: 1_000_000 })
  const times: number[] = []
  for (let n = 0; n < 2_000; n++) {
    const began = performance.now()
    await one.ofAddress('192.0.2.1')
    await one.ofIdentity('anna')
    times.push(performance.now() - began)
  }
  expect(times.sort((a, b) => a - b)[1_000]).toBeLessThan(0.3)
})
