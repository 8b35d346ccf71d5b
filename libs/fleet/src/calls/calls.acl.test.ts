import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { eventually } from '../../../../test/support/eventually'
import { GuardedRedis } from '../../../../test/support/guarded-redis'
import { aclLine, aclUsers, newPassword } from '../acl'
import { type Fleet, openFleet } from '../fleet'
import { connectRedis, type RedisClient, whenReady } from '../redis'
import { trustIn } from '../signing/trust'
import { asked, echo, read, type TestDock, testCaller, testDock } from '../testing/call-ends'
import { testKeys } from '../testing/keys'
import type { OpenCalls } from './caller'

const prefix = 'acl-calls'
let server: GuardedRedis
let api: Fleet
let dockFleet: Fleet
let dock: TestDock
let calls: OpenCalls
const opened: RedisClient[] = []

async function fleetAs(url: string): Promise<Fleet> {
  const redis = connectRedis(url, 'patient')
  opened.push(redis)
  await whenReady(redis, 10_000)
  return openFleet(redis, prefix, undefined, trustIn(testKeys))
}

beforeAll(async () => {
  const users = aclUsers({ prefix, docks: ['dock-1', 'dock-2'] }).map((user) => ({ user, password: newPassword() }))
  server = await GuardedRedis.start(async (folder, port) => {
    const file = join(folder, 'users.acl')
    await writeFile(file, users.map(({ user, password }) => `${aclLine(user, password)}\n`).join(''))
    return ['--port', String(port), '--aclfile', file]
  })
  const [ofApi, ofDock] = users.map(({ user, password }) => `redis://${user.name}:${password}@127.0.0.1:${server.port}`)
  api = await fleetAs(ofApi ?? '')
  dockFleet = await fleetAs(ofDock ?? '')
  dock = await testDock(dockFleet, ofDock ?? '', { echo })
  calls = testCaller(api, ofApi ?? '', { replica: 'replica-1' })
}, 20_000)

afterAll(async () => {
  await calls.close()
  await dock.close()
  for (const redis of opened) redis.disconnect()
  await server.remove()
})

test('a dock’s own user answers calls to it', async () => {
  const call = await calls.open(asked())
  await call.write(Buffer.from('x'))
  await call.endInput()
  await expect(read(call.output)).resolves.toEqual(Buffer.from('x'))
  expect(dock.errors).toEqual([])
})

test('it can neither read nor remove what docks answer, nor make a replica’s stream, nor see what others are asked', async () => {
  const call = await calls.open(asked())
  const { redis, keys } = dockFleet
  const frames = keys.frames('replica-1')
  const others = keys.calls('dock-2')
  for (const [command, ...args] of [
    ['XRANGE', frames, '-', '+'],
    ['XREAD', 'STREAMS', frames, '0'],
    ['XLEN', frames],
    ['XTRIM', frames, 'MAXLEN', '0'],
    ['DEL', frames],
    ['PEXPIRE', frames, '100000'],
    ['EVAL', `return redis.call('XLEN', '${frames}')`, '0'],
    ['XRANGE', others, '-', '+'],
    ['XREAD', 'STREAMS', others, '0'],
    ['XADD', others, '*', 'f', 'x'],
    ['DEL', others],
  ] as const) {
    await expect(redis.call(command, ...args)).rejects.toThrow(/NOPERM|No permissions|can't access/i)
  }
  call.cancel()
})

test('what it adds to the frames of others ends nothing of theirs', async () => {
  const call = await calls.open(asked())
  for (let n = 0; n < 50; n++) await dockFleet.redis.xadd(api.keys.frames('replica-1'), '*', 'f', randomBytes(100))
  await call.endInput()
  await expect(call.ended).resolves.toEqual({ bytes: 0 })
  await eventually(() => calls.count === 0)
})
