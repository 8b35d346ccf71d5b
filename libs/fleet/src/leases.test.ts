import { useFleet } from '../../../test/support/fleet-on-redis'
import { times } from './names'

const use = useFleet()
const docks = () => use.fleet().docks
const leaseLeft = () => use.redis().pttl(use.fleet().keys.lease('dock-1'))

describe('the lease', () => {
  test('goes to one of fifty who ask at once', async () => {
    const asked = Array.from({ length: 50 }, (_, n) => docks().acquireLease('dock-1', `worker-${n}`))
    const acquired = (await Promise.all(asked)).filter((answer) => answer.acquired)
    expect(acquired).toHaveLength(1)
  })

  test('tells those who do not get it how long it is held for', async () => {
    await docks().acquireLease('dock-1', 'one')
    const { acquired, heldForMs } = await docks().acquireLease('dock-1', 'two')
    expect(acquired).toBe(false)
    expect(heldForMs).toBeGreaterThan(times.lease - 2_000)
    expect(heldForMs).toBeLessThanOrEqual(times.lease)
  })

  test('ends by itself', async () => {
    await docks().acquireLease('dock-1', 'one')
    expect(await leaseLeft()).toBeGreaterThan(0)
  })

  test('is renewed by its holder alone', async () => {
    await docks().acquireLease('dock-1', 'one')
    await use.redis().pexpire(use.fleet().keys.lease('dock-1'), 5_000)
    await expect(docks().heartbeat('dock-1', 'two', 'ok')).resolves.toMatchObject({ held: false })
    expect(await leaseLeft()).toBeLessThanOrEqual(5_000)
    await expect(docks().heartbeat('dock-1', 'one', 'ok')).resolves.toMatchObject({ held: true })
    expect(await leaseLeft()).toBeGreaterThan(5_000)
  })

  test('is given back by its holder alone', async () => {
    await docks().acquireLease('dock-1', 'one')
    await docks().releaseLease('dock-1', 'two')
    await expect(docks().acquireLease('dock-1', 'two')).resolves.toMatchObject({ acquired: false })
    await docks().releaseLease('dock-1', 'one')
    await expect(docks().acquireLease('dock-1', 'two')).resolves.toMatchObject({ acquired: true })
  })

  test('is not made by a heartbeat', async () => {
    await expect(docks().heartbeat('dock-1', 'one', 'ok')).resolves.toMatchObject({ held: false })
    expect(await leaseLeft()).toBe(-2)
  })

  test('makes a dock count as living while it is renewed', async () => {
    await docks().acquireLease('dock-1', 'one')
    const asked = docks().isLeased('dock-1')
    const beating = setInterval(() => void docks().heartbeat('dock-1', 'one', 'ok'), 700)
    await expect(asked).resolves.toBe(true)
    clearInterval(beating)
  })

  test('makes a dock whose worker has died count as dead, although it is leased still', async () => {
    await docks().acquireLease('dock-1', 'one')
    await use.redis().pexpire(use.fleet().keys.lease('dock-1'), 700)
    await expect(docks().isLeased('dock-1')).resolves.toBe(false)
    await expect(docks().isLeased('nobody')).resolves.toBe(false)
  })
})

describe('a heartbeat', () => {
  test('tells whether the dock is registered and drained', async () => {
    await docks().acquireLease('dock-1', 'one')
    const beat = () => docks().heartbeat('dock-1', 'one', 'ok')
    await expect(beat()).resolves.toMatchObject({ registered: false, drain: false })
    await docks().register('dock-1')
    await docks().patch('dock-1', { drain: true })
    await expect(beat()).resolves.toMatchObject({ registered: true, drain: true })
  })

  test('notes when the worker was seen, by Redis’s clock, only of a registered dock', async () => {
    await docks().acquireLease('dock-1', 'one')
    await docks().heartbeat('dock-1', 'one', 'ok')
    await docks().register('dock-1')
    await expect(docks().get('dock-1')).resolves.toMatchObject({ lastSeen: null })
    await docks().heartbeat('dock-1', 'one', 'ok')
    const { lastSeen } = await docks().get('dock-1')
    expect(Math.abs(Date.parse(lastSeen as string) - Date.now())).toBeLessThan(5_000)
  })

  test('of a worker without the lease leaves no trace', async () => {
    await docks().register('dock-1')
    await docks().acquireLease('dock-1', 'one')
    await docks().heartbeat('dock-1', 'two', 'unhealthy')
    await expect(docks().get('dock-1')).resolves.toMatchObject({ state: 'ready', lastSeen: null })
  })
})

describe('the epoch of what Redis holds', () => {
  const beat = (incarnation = 'one') => docks().heartbeat('dock-1', incarnation, 'ok')

  test('is made by the first heartbeat, and is the same for all and for ever', async () => {
    await docks().acquireLease('dock-1', 'one')
    const { epoch } = await beat()
    expect(epoch).toMatch(/^[0-9a-f-]{36}$/)
    await docks().acquireLease('dock-2', 'two')
    await expect(docks().heartbeat('dock-2', 'two', 'ok')).resolves.toMatchObject({ epoch })
    await docks().register('dock-1')
    await docks().unregister('dock-1')
    await expect(beat()).resolves.toMatchObject({ epoch })
  })

  test('is another one where the data were lost', async () => {
    await docks().acquireLease('dock-1', 'one')
    const { epoch } = await beat()
    await use.redis().flushall()
    await expect(beat()).resolves.toMatchObject({ held: false, epoch: null })
    await docks().acquireLease('dock-1', 'one')
    const { epoch: after } = await beat()
    expect(after).toMatch(/^[0-9a-f-]{36}$/)
    expect(after).not.toBe(epoch)
  })
})

describe('the machine behind a host name', () => {
  const identify = (identity: string, incarnation = 'one') => docks().identify('dock-1', incarnation, identity)
  const redisMs = async () => {
    const [seconds, micros] = await use.redis().time()
    return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000)
  }

  beforeEach(() => docks().acquireLease('dock-1', 'one'))

  test('has had it always where no other is known, and keeps it', async () => {
    await expect(identify('machine-a')).resolves.toMatchObject({ since: 0 })
    await expect(identify('machine-a')).resolves.toMatchObject({ since: 0 })
  })

  test('has had it since it took it over from another one, also after the dock was removed in between', async () => {
    await identify('machine-a')
    await docks().register('dock-1')
    await docks().unregister('dock-1')
    const before = await redisMs()
    const { since } = (await identify('machine-b')) ?? { since: -1 }
    expect(since).toBeGreaterThanOrEqual(before)
    expect(since).toBeLessThanOrEqual(await redisMs())
    await expect(identify('machine-b')).resolves.toMatchObject({ since })
  })

  test('is told by the holder of the lease alone', async () => {
    await identify('machine-a')
    await expect(identify('machine-b', 'two')).resolves.toBeNull()
    await expect(identify('machine-a')).resolves.toMatchObject({ since: 0 })
  })
})

test('Redis’s time comes with a heartbeat and with the machine', async () => {
  const [before] = await use.redis().time()
  await docks().acquireLease('dock-1', 'one')
  const heartbeat = await docks().heartbeat('dock-1', 'one', 'ok')
  const found = await docks().identify('dock-1', 'one', 'machine-a')
  for (const ms of [heartbeat.redisMs, found?.redisMs ?? 0]) {
    expect(ms).toBeGreaterThanOrEqual(Number(before) * 1_000)
    expect(ms).toBeLessThan(Number(before) * 1_000 + 10_000)
  }
})

test('how long Redis has been up is told in milliseconds', async () => {
  const [, seconds = ''] = /uptime_in_seconds:(\d+)/.exec(await use.redis().info('server')) ?? []
  const ms = await docks().redisUptimeMs()
  expect(ms).toBeGreaterThanOrEqual(Number(seconds) * 1_000)
  expect(ms).toBeLessThan(Number(seconds) * 1_000 + 5_000)
})

test('which docks are leased is told of all at once, without waiting for a renewal', async () => {
  await docks().acquireLease('dock-2', 'two')
  await expect(docks().leasedOf(['dock-1', 'dock-2', 'dock-3'])).resolves.toEqual([false, true, false])
  await expect(docks().leasedOf([])).resolves.toEqual([])
})
