import { useFleet } from '../../../test/support/fleet-on-redis'
import { times } from './names'

const use = useFleet()
const docks = () => use.fleet().docks
const leaseLeft = () => use.redis().pttl(use.fleet().keys.lease('dock-1'))

const facts = { engineVersion: '20.10.24', apiVersion: '1.41', os: 'Debian', cpus: 2, memory: 4_000_000_000 }

describe('the set of docks', () => {
  test('holds the registered host names, sorted, and nothing else', async () => {
    for (const hostname of ['b', 'a', 'c', 'a']) await docks().register(hostname)
    await docks().unregister('c')
    await expect(docks().names()).resolves.toEqual(['a', 'b'])
    await expect(use.redis().smembers(`${use.fleet().prefix}:docks`)).resolves.toHaveLength(2)
    await expect(docks().isRegistered('a')).resolves.toBe(true)
    await expect(docks().isRegistered('c')).resolves.toBe(false)
  })

  test('unregistering a dock forgets what was known of it, but not its worker’s lease', async () => {
    await docks().register('dock-1')
    await docks().acquireLease('dock-1', 'one')
    await docks().describe('dock-1', facts)
    await docks().patch('dock-1', { labels: { rack: '7' }, drain: true })
    await docks().unregister('dock-1')
    await docks().register('dock-1')
    await expect(docks().get('dock-1')).resolves.toEqual({
      hostname: 'dock-1',
      state: 'ready',
      labels: {},
      drain: false,
      lastSeen: null,
      listedAt: null,
    })
  })

  test('unregistering what is not there is no failure', async () => {
    await expect(docks().unregister('nobody')).resolves.toBeUndefined()
  })

  test.each([
    ['get', () => docks().get('nobody')],
    ['patch', () => docks().patch('nobody', { drain: true })],
  ])('%s of a dock that is not registered says so, and makes none', async (_, ask) => {
    await expect(ask()).rejects.toMatchObject({ code: 'dock_not_found', status: 404 })
    await expect(use.redis().keys(`${use.fleet().prefix}:*`)).resolves.toEqual([])
  })

  test('a dock that is not registered cannot be described', async () => {
    await expect(docks().describe('nobody', facts)).resolves.toBe(false)
    await expect(use.redis().keys(`${use.fleet().prefix}:*`)).resolves.toEqual([])
  })
})

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

describe('the state of a dock', () => {
  test.each([
    ['unreachable', { leased: false, daemon: 'ok', drain: false }],
    ['unreachable', { leased: false, daemon: 'unhealthy', drain: true }],
    ['ready', { leased: true, daemon: 'ok', drain: false }],
    ['drained', { leased: true, daemon: 'ok', drain: true }],
    ['daemon-unhealthy', { leased: true, daemon: 'unhealthy', drain: false }],
    ['daemon-unhealthy', { leased: true, daemon: 'unhealthy', drain: true }],
  ] as const)('is %s when %j', async (state, { leased, daemon, drain }) => {
    await docks().register('dock-1')
    await docks().acquireLease('dock-1', 'one')
    await docks().heartbeat('dock-1', 'one', daemon)
    await docks().patch('dock-1', { drain })
    if (!leased) await docks().releaseLease('dock-1', 'one')
    await expect(docks().get('dock-1')).resolves.toMatchObject({ state, drain })
    await expect(docks().list()).resolves.toMatchObject([{ hostname: 'dock-1', state }])
    await expect(docks().takesContainers('dock-1')).resolves.toBe(!drain)
  })

  test('has the facts of its engine beside it', async () => {
    await docks().register('dock-1')
    await docks().describe('dock-1', facts)
    await expect(docks().get('dock-1')).resolves.toMatchObject(facts)
  })
})

describe('a patch', () => {
  beforeEach(() => docks().register('dock-1'))

  test('of labels leaves drain alone, and the other way round', async () => {
    await docks().patch('dock-1', { labels: { rack: '7' } })
    await docks().patch('dock-1', { drain: true })
    await expect(docks().get('dock-1')).resolves.toMatchObject({ labels: { rack: '7' }, drain: true })
    await docks().patch('dock-1', { labels: {}, drain: false })
    await expect(docks().get('dock-1')).resolves.toMatchObject({ labels: {}, drain: false })
  })

  test('a dock that is not registered takes no containers', async () => {
    await expect(docks().takesContainers('nobody')).resolves.toBe(false)
  })
})
