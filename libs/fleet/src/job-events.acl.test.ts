import { useFleet } from '../../../test/support/fleet-on-redis'
import { aclUsers } from './acl'
import { type Fleet, openFleet } from './fleet'
import { payloadOf } from './job'
import { connectRedis, type RedisClient, whenReady } from './redis'
import { completed, recordOn } from './testing/record'

const use = useFleet()
let redis: RedisClient
let dock: Fleet

/** As the Redis user of a dock, who may do nothing with the stream of changes but add to it. */
beforeEach(async () => {
  const { prefix } = use.fleet()
  const { name, rules } = aclUsers({ prefix, docks: ['dock-1'] })[1] as { name: string; rules: string[] }
  await use.redis().call('ACL', 'SETUSER', name, 'reset', ...rules, '>secret')
  redis = connectRedis(use.server().url.replace('redis://', `redis://${name}:secret@`), 'patient')
  await whenReady(redis, 10_000)
  dock = openFleet(redis, prefix)
})

afterEach(() => redis.disconnect())

test('a dock tells all that its jobs go through, with the rights that it has', async () => {
  const { jobs, keys } = use.fleet()
  const record = recordOn(keys.replies('replica'), { action: 'create-container', topics: ['deblox.docker'] })
  await jobs.accept({ record })
  const payload = payloadOf(record, 1)
  await dock.jobs.begin(payload)
  const reason = { reason: 'free', why: 'it was free' } as const
  const { epoch } = await dock.placements.claim(record.id, 1, 'dock-1', record.id, { payload, reason })
  await dock.placements.release(record.id, 1, 'dock-1', epoch, { payload, why: 'it cannot now' })
  await dock.jobs.uncountStart(payload, { dock: 'dock-1', why: 'it stops' })
  await dock.jobs.countStart(payload, 'dock-1')
  for (const event of ['pull', 'retrying'] as const) await dock.jobs.tell(payload, { event, dock: 'dock-1', data: {} })
  expect(await dock.jobs.finish(payload, completed())).toBe('recorded')

  const told = ['placed', 'started', 'waiting', 'waiting', 'started', 'retrying', 'pull', 'docker', 'completed']
  expect((await jobs.events(record.id)).events.map(({ event }) => event)).toEqual(['accepted', ...told, 'completed'])
  const changes = await use.redis().xrange(keys.changes, '-', '+')
  const quiet = ['pull', 'docker']
  expect(changes.map(([, fields]) => fields[3])).toEqual(['accepted', ...told.filter((one) => !quiet.includes(one))])
  await expect(redis.xrange(keys.changes, '-', '+')).rejects.toThrow('NOPERM')
})
