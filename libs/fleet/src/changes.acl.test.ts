import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { GuardedRedis } from '../../../test/support/guarded-redis'
import { aclLine, aclUsers } from './acl'
import { parseChange } from './changes'
import { docksOf } from './docks'
import { fleetIndexOf } from './index'
import { fleetKeys } from './names'
import { connectRedis, type RedisClient, whenReady } from './redis'
import { containerRowOf, imageRowOf } from './testing/rows'

const prefix = 'acl'
const keys = fleetKeys(prefix)
const password = 'test-password'

let server: GuardedRedis
/** Connected as the API, as dock-1, and as one who may do all. */
let api: RedisClient
let dock: RedisClient
let admin: RedisClient

beforeAll(async () => {
  const lines = aclUsers({ prefix, docks: ['dock-1', 'dock-2'] }).map((user) => aclLine(user, password))
  server = await GuardedRedis.start(async (folder, port) => {
    const file = join(folder, 'users.acl')
    await writeFile(file, `${lines.join('\n')}\nuser admin on >${password} ~* &* +@all\n`)
    return ['--port', String(port), '--aclfile', file]
  })
  const connect = (user: string) => connectRedis(`redis://${user}:${password}@127.0.0.1:${server.port}`, 'patient')
  ;[api, dock, admin] = [connect(`${prefix}-api`), connect(`${prefix}-dock-dock-1`), connect('admin')]
  await Promise.all([api, dock, admin].map((client) => whenReady(client, 10_000)))
}, 30_000)

afterAll(async () => {
  for (const client of [api, dock, admin]) client.disconnect()
  await server.remove()
})

const words = async () =>
  (await api.xrange(keys.changes, '-', '+')).map((entry) => {
    const { kind, op, object } = parseChange(entry) ?? {}
    return `${kind} ${op} ${object?.slice(0, 10)}`
  })

test('a dock’s user may do all that keeps the index and tells of it, and Redis refuses him nothing', async () => {
  const [docks, index] = [docksOf(dock, keys), fleetIndexOf(dock, keys)]
  await docks.register('dock-1')
  await docks.acquireLease('dock-1', 'one')
  await docks.heartbeat('dock-1', 'one', 'ok')
  await docks.describe('dock-1', { engineVersion: '1', apiVersion: '1', os: 'x', cpus: 1, memory: 1 })
  const web = containerRowOf('aa', { owner: 'anna' })
  await index.write('dock-1', [web], [], true)
  await index.write('dock-1', [], [web.id])
  await index.settle('image', 'dock-1', [imageRowOf('one')])
  await docks.releaseLease('dock-1', 'one')
  await docks.unregister('dock-1')
  expect(await words()).toEqual([
    'dock set dock-1',
    'dock set dock-1',
    'dock set dock-1',
    'container set aa00000000',
    'container gone aa00000000',
    'image set sha256:one',
    'dock set dock-1',
    'dock gone dock-1',
  ])
  expect(await admin.call('ACL', 'LOG')).toEqual([])
})

test('he may add to the stream, and neither read nor remove what is there', async () => {
  await expect(dock.xadd(keys.changes, '*', 'k', 'job')).resolves.toEqual(expect.any(String))
  for (const forbidden of [
    () => dock.xrange(keys.changes, '-', '+'),
    () => dock.xread('STREAMS', keys.changes, '0'),
    () => dock.xtrim(keys.changes, 'MAXLEN', 0),
    () => dock.del(keys.changes),
    () => dock.eval(`return redis.call('XLEN', ARGV[1])`, 0, keys.changes),
  ]) {
    await expect(forbidden()).rejects.toThrow(/NOPERM|can't access at least one of the keys/)
  }
})

test('what he says there of another dock changes none of its rows: those he may not write', async () => {
  await docksOf(api, keys).register('dock-2')
  const row = containerRowOf('bb', { dock: 'dock-2' })
  await fleetIndexOf(api, keys).write('dock-2', [row], [])
  await dock.xadd(keys.changes, '*', 'k', 'container', 'o', 'gone', 'd', 'dock-2', 'i', row.id, 'r', '')
  await expect(fleetIndexOf(dock, keys).write('dock-2', [], [row.id])).rejects.toThrow('NOPERM')
  await expect(fleetIndexOf(api, keys).rows('dock-2')).resolves.toEqual([row])
})
