import { pino } from 'pino'
import { useFleet } from '../../../test/support/fleet-on-redis'
import type { Dock } from './docks'
import { Janitor } from './janitor'
import { toldIn, words } from './testing/told'

const use = useFleet()
const docks = () => use.fleet().docks
const told = () => toldIn(use.fleet())

beforeEach(async () => {
  await docks().register('dock-1')
  await told()
})

describe('of docks', () => {
  const facts = { engineVersion: '20.10.24', apiVersion: '1.41', os: 'Debian', cpus: 2, memory: 4_000_000_000 }
  const beat = (incarnation = 'one', daemon: 'ok' | 'unhealthy' = 'ok') =>
    docks().heartbeat('dock-1', incarnation, daemon)

  test('it is told once that one came and that it went', async () => {
    for (let n = 0; n < 2; n++) await docks().register('dock-2')
    for (let n = 0; n < 2; n++) await docks().unregister('dock-2')
    expect(words(await told())).toEqual(['dock set dock-2', 'dock gone dock-2'])
  })

  test('what is known of one is told when it is other than before', async () => {
    await docks().acquireLease('dock-1', 'one')
    for (let n = 0; n < 2; n++) await beat()
    for (let n = 0; n < 2; n++) await docks().describe('dock-1', facts, { kid: 'k' } as never)
    for (let n = 0; n < 2; n++) await docks().patch('dock-1', { labels: { rack: '7' }, drain: true })
    for (let n = 0; n < 2; n++) await beat('one', 'unhealthy')
    await beat()
    const entries = await use.redis().xrange(use.fleet().keys.changes, '-', '+')
    expect(JSON.stringify(entries)).not.toContain('seal')
    expect((await told()).map(({ row }) => row)).toMatchObject([
      { hostname: 'dock-1', state: 'ready', labels: {}, lastSeen: expect.any(String) },
      { state: 'ready', ...facts },
      { state: 'drained', drain: true, labels: { rack: '7' } },
      { state: 'daemon-unhealthy' },
      { state: 'drained' },
    ])
  })

  test('another worker for the same host name is told of', async () => {
    await docks().acquireLease('dock-1', 'one')
    await beat()
    await docks().releaseLease('dock-1', 'one')
    await docks().acquireLease('dock-1', 'two')
    await beat('two')
    expect((await told()).map(({ row }) => row)).toMatchObject([
      { state: 'ready' },
      { state: 'unreachable' },
      { state: 'ready' },
    ])
  })

  test('a lease that ran out is told of, once, and none that is held', async () => {
    await docks().acquireLease('dock-1', 'one')
    await beat()
    await docks().tellLost('dock-1')
    expect((await told()).map(({ row }) => row)).toMatchObject([{ state: 'ready' }])
    await use.redis().del(use.fleet().keys.lease('dock-1'))
    for (let n = 0; n < 2; n++) await docks().tellLost('dock-1')
    expect((await told()).map(({ row }) => row)).toMatchObject([{ state: 'unreachable' }])
  })

  test('a dock that never had a worker is not told to have lost it', async () => {
    await docks().patch('dock-1', { labels: { rack: '7' } })
    await told()
    await docks().tellLost('dock-1')
    expect(await told()).toEqual([])
  })

  test('the janitor tells of a worker that died, once for each time', async () => {
    const janitor = new Janitor(use.fleet(), pino({ level: 'silent' }))
    const states = async () => {
      for (let n = 0; n < 2; n++) await janitor.round()
      return (await told()).map(({ row }) => (row as Dock).state)
    }
    for (const incarnation of ['one', 'two']) {
      await docks().acquireLease('dock-1', incarnation)
      await beat(incarnation)
      expect(await states()).toEqual(['ready'])
      await use.redis().del(use.fleet().keys.lease('dock-1'))
      expect(await states()).toEqual(['unreachable'])
    }
  })

  test('the janitor begins a spoilt stream anew', async () => {
    await use.redis().set(use.fleet().keys.changes, 'text')
    await new Janitor(use.fleet(), pino({ level: 'silent' })).round()
    await docks().register('dock-2')
    expect(words(await told())).toEqual(['dock set dock-2'])
  })

  test('a lease of a dock that is not registered is told to nobody, and leaves nothing behind', async () => {
    await docks().unregister('dock-1')
    await told()
    await docks().acquireLease('dock-1', 'one')
    await beat()
    await docks().releaseLease('dock-1', 'one')
    await docks().tellLost('dock-1')
    expect(await told()).toEqual([])
    await expect(use.redis().exists(use.fleet().keys.dock('dock-1'))).resolves.toBe(0)
  })
})
