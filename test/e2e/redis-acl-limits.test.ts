import { fleetKeys } from '@deblox/fleet/names'
import { Redis } from 'ioredis'
import { type RedisWithUsers, startRedisWithUsers } from '../support/guarded-redis'

const prefix = 'acl-limits'
const hostnames = ['dock1', 'dock2', 'dock2.example.com']
const keys = fleetKeys(prefix)

let users: RedisWithUsers
let admin: Redis

beforeAll(async () => {
  users = await startRedisWithUsers(prefix, hostnames)
  admin = users.admin
}, 20_000)

afterAll(async () => {
  admin.disconnect()
  await users.redis.remove()
})

describe('the user of one dock', () => {
  let dock1: Redis

  beforeAll(async () => {
    dock1 = new Redis(users.urlOf('dock1'), { lazyConnect: true })
    await dock1.connect()
    const others = ['dock2', 'dock2.example.com']
    for (const hostname of others) {
      await admin.hset(keys.dock(hostname), 'engine', 'secret')
      await admin.set(keys.lease(hostname), 'secret', 'PX', 600_000)
    }
  })

  afterAll(() => dock1.disconnect())

  const topic = (hostname: string) => `${prefix}:deblox.docker.${hostname}`
  const others = ['dock2', 'dock2.example.com'].flatMap((hostname) => [
    ...(['dock', 'lease', 'identity', 'containers', 'images', 'volumes', 'networks', 'calls', 'cancels'] as const).map(
      (family) => keys[family](hostname),
    ),
    ...['wait', 'active', 'meta', 'events', 'id', '1', '1:lock', 'completed'].map(
      (name) => `${topic(hostname)}:${name}`,
    ),
  ])
  const ofTheApi = [
    ...(['audit', 'auditCheckpoint', 'tokens', 'grants', 'templates', 'allowances', 'janitor', 'deals'] as const).map(
      (family) => keys[family],
    ),
    keys.session('x'),
    keys.idempotency('x'),
    'another-fleet:docks',
    'whatever',
  ]

  const read = (key: string): [string, ...string[]][] => [
    ['GET', key],
    ['HGETALL', key],
    ['LRANGE', key, '0', '-1'],
    ['SMEMBERS', key],
    ['XRANGE', key, '-', '+'],
    ['TYPE', key],
    ['EVAL', `return redis.call('TYPE', KEYS[1])`, '1', key],
    ['EVAL', `return redis.call('TYPE', '${key}')`, '0'],
  ]
  const write = (key: string): [string, ...string[]][] => [
    ['SET', key, '1'],
    ['DEL', key],
    ['HSET', key, 'a', '1'],
    ['LPUSH', key, '1'],
    ['SADD', key, '1'],
    ['XADD', key, '*', 'a', '1'],
    ['PEXPIRE', key, '1'],
    ['RENAME', key, keys.docks],
    ['RENAME', keys.docks, key],
    ['COPY', key, keys.docks],
    ['SDIFFSTORE', keys.docks, key],
    ['EVAL', `return redis.call('SET', KEYS[1], '1')`, '1', key],
    ['EVAL', `return redis.call('SET', '${key}', '1')`, '0'],
  ]

  test.each([...others, ...ofTheApi])('cannot read or write %s', async (key) => {
    for (const [command, ...args] of [...read(key), ...write(key)]) {
      await expect(dock1.call(command, ...args)).rejects.toThrow(/NOPERM|can't access|No permissions/i)
    }
  })

  test('sees whether another dock lives, and nothing else of its lease', async () => {
    expect(await dock1.pttl(keys.lease('dock2'))).toBeGreaterThan(0)
    expect(await dock1.exists(keys.lease('dock2'))).toBe(1)
    await expect(dock1.call('EXISTS', keys.dock('dock2'))).rejects.toThrow(/NOPERM/)
  })

  test('may tell the audit what it refused, and neither read nor remove what is there', async () => {
    await dock1.xadd(keys.auditIntake, '*', 'what', 'bad_signature')
    for (const [command, ...args] of [
      ['XRANGE', keys.auditIntake, '-', '+'],
      ['XDEL', keys.auditIntake, '0-1'],
      ['XTRIM', keys.auditIntake, 'MAXLEN', '0'],
      ['DEL', keys.auditIntake],
    ] as const) {
      await expect(dock1.call(command, ...args)).rejects.toThrow(/NOPERM/)
    }
  })

  test.each(
    `KEYS *|SCAN 0|RANDOMKEY|DBSIZE|FLUSHALL|FLUSHDB|CONFIG GET *|ACL LIST|ACL WHOAMI|CLIENT LIST|CLIENT KILL ID 1|MONITOR|SAVE
    |SHUTDOWN|REPLICAOF no one|MODULE LIST|FUNCTION LIST|SCRIPT FLUSH|SWAPDB 0 1|SELECT 1|SORT a|OBJECT HELP|PUBLISH a b|SUBSCRIBE a|SLOWLOG GET`
      .split('|')
      .map((command) => command.trim()),
  )('may not %s', async (command) => {
    const [name = '', ...args] = command.split(' ')
    await expect(dock1.call(name, ...args)).rejects.toThrow(/NOPERM/)
  })
})

test('without a password nobody may do anything', async () => {
  const stranger = new Redis({ port: users.redis.port, lazyConnect: true, retryStrategy: () => null })
  stranger.on('error', () => undefined)
  await expect(stranger.call('GET', keys.docks)).rejects.toThrow(/NOAUTH|Connection is closed/)
  stranger.disconnect()
})
