import { useFleet } from '../../../test/support/fleet-on-redis'

const use = useFleet()
const docks = () => use.fleet().docks

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

describe('of several changes to one dock', () => {
  const now = async () => Number((await use.redis().time())[0]) * 1_000
  const isRegistered = () => docks().isRegistered('dock-1')

  test('the one accepted last stands, also where an earlier one comes late from a worker that was frozen', async () => {
    const accepted = (await now()) - 60_000
    await docks().register('dock-1', accepted + 2)
    await docks().unregister('dock-1', accepted + 1)
    expect(await isRegistered()).toBe(true)
    await docks().unregister('dock-1', accepted + 3)
    await docks().register('dock-1', accepted + 2)
    expect(await isRegistered()).toBe(false)
    await docks().register('dock-1', accepted + 4)
    expect(await isRegistered()).toBe(true)
  })

  test('a late one leaves all that is known of the dock', async () => {
    const accepted = (await now()) - 60_000
    await docks().register('dock-1', accepted + 2)
    await docks().patch('dock-1', { labels: { rack: '7' } })
    await docks().unregister('dock-1', accepted + 1)
    await expect(docks().get('dock-1')).resolves.toMatchObject({ labels: { rack: '7' } })
    await expect(docks().removed()).resolves.toEqual([])
  })

  test('those of one moment take effect in the order in which they come', async () => {
    const accepted = await now()
    await docks().register('dock-1', accepted)
    await docks().unregister('dock-1', accepted)
    expect(await isRegistered()).toBe(false)
  })

  test('one of a clock that is ahead does not keep later ones from taking effect', async () => {
    await docks().unregister('dock-1', (await now()) + 3_600_000)
    await docks().register('dock-1', (await now()) + 1_000)
    expect(await isRegistered()).toBe(true)
  })
})

describe('docks that were removed', () => {
  test('are remembered, the first one first, until they come back', async () => {
    for (const hostname of ['b', 'a', 'c']) await docks().register(hostname)
    for (const hostname of ['b', 'a', 'c', 'nobody']) await docks().unregister(hostname)
    const removed = await docks().removed()
    expect(removed).toHaveLength(3)
    expect(removed).toEqual(expect.arrayContaining(['a', 'b', 'c']))
    await docks().register('a')
    expect(await docks().removed()).toEqual(removed.filter((hostname) => hostname !== 'a'))
  })

  test('are forgotten when they were removed before a given time', async () => {
    for (const hostname of ['a', 'b']) await docks().register(hostname)
    await docks().unregister('a')
    await docks().unregister('b')
    await use.redis().zadd(use.fleet().keys.removed, 1_000, 'a', 1_001, 'b')
    await docks().forgetRemoved(1_001)
    await expect(docks().removed()).resolves.toEqual(['b'])
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

  test('is told of all docks at once', async () => {
    for (const hostname of ['dock-1', 'dock-2']) await docks().register(hostname)
    await docks().acquireLease('dock-2', 'two')
    await expect(docks().states()).resolves.toEqual(
      new Map([
        ['dock-1', 'unreachable'],
        ['dock-2', 'ready'],
      ]),
    )
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

test('what a dock’s own user has spoilt keeps nobody from seeing the docks', async () => {
  const { docks, keys } = use.fleet()
  for (const name of ['dock-1', 'dock-2', 'dock-3']) await docks.register(name)
  await use.redis().hset(keys.dock('dock-1'), { labels: '{garbage', engine: 'null', seen: 'x', listed: '1e99' })
  await use.redis().del(keys.dock('dock-2'))
  await use.redis().set(keys.dock('dock-2'), 'no hash')
  expect((await docks.list()).map(({ hostname, labels }) => [hostname, labels])).toEqual([
    ['dock-1', {}],
    ['dock-2', {}],
    ['dock-3', {}],
  ])
})
