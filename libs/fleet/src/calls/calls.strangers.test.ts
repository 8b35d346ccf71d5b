import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { eventually } from '../../../../test/support/eventually'
import { useFleet } from '../../../../test/support/fleet-on-redis'
import { asked, echo, quickly, read, testCaller, testDock, useCalls } from '../testing/call-ends'

const use = useFleet()
const { calls, dock } = useCalls(use, { echo, one: async () => 1 })

const callsKey = () => use.fleet().keys.calls('dock-1')
const add = (key: string, fields: Record<string, string | Buffer>) =>
  use.redis().xadd(key, '*', ...Object.entries(fields).flat())

describe('nobody else takes part in a call', () => {
  const framesKey = async () => (await use.redis().keys(`${use.fleet().prefix}:frames:*`))[0] ?? ''
  const idOf = (call: unknown) => Buffer.from((call as { line: { name: string } }).line.name, 'latin1')

  /** A frame as somebody would make it who knows the call's id and has not its key. */
  const forged = (id: Buffer, counter: number): Buffer => {
    const head = Buffer.alloc(8)
    head.writeBigUInt64BE(BigInt(counter))
    return Buffer.concat([id, head, randomBytes(40)])
  }

  test.each([
    ['in its turn', 0],
    ['ahead of it', 5],
  ])('a frame that somebody else has made, %s, ends the call, on both ends', async (_, ahead) => {
    const inward = await calls().open(asked())
    await add(callsKey(), { f: forged(idOf(inward), 1 + ahead) })
    await expect(inward.ended).rejects.toMatchObject({ code: 'stream_broken' })
    const outward = await calls().open(asked())
    await add(await framesKey(), { f: forged(idOf(outward), 1 + ahead) })
    await expect(outward.ended).rejects.toMatchObject({ code: 'stream_broken' })
    await eventually(() => dock().count === 0)
  })

  test('what is not a frame, or of no call, is passed over', async () => {
    const call = await calls().open(asked())
    for (const key of [callsKey(), await framesKey()]) {
      for (const f of ['', 'x', forged(randomBytes(16), 0), randomBytes(100_000)]) await add(key, { f })
      await add(key, { z: '1' })
      await add(key, { f: forged(idOf(call), 0) })
    }
    await call.write(Buffer.from('x'))
    await call.endInput()
    await expect(read(call.output)).resolves.toEqual(Buffer.from('x'))
  })

  test('a frame that Redis was told twice is read once', async () => {
    const redis = use.redis()
    const twice = new Proxy(redis, {
      get(target, name) {
        if (name !== 'xadd') return Reflect.get(target, name, target) as unknown
        return async (...told: Parameters<typeof redis.xadd>) => {
          await redis.xadd(...told)
          return redis.xadd(...told)
        }
      },
    })
    const api = testCaller({ ...use.fleet(), redis: twice }, use.server().url)
    const call = await api.open(asked())
    for (const text of ['a', 'b', 'c']) await call.write(Buffer.from(text))
    await call.endInput()
    await expect(read(call.output)).resolves.toEqual(Buffer.from('abc'))
    await api.close()
  })

  test('nothing of what is asked or said can be read in Redis', async () => {
    // ioredis takes what it is told before Redis's first reply for a reply.
    const { hostname, port } = new URL(use.server().url)
    const monitor = connect(Number(port), hostname)
    let said = ''
    monitor.setEncoding('latin1').on('data', (told: string) => (said += told))
    monitor.write('MONITOR\r\n')
    await eventually(() => said.startsWith('+OK'))
    const call = await calls().open(asked({ params: { cmd: 'the-command' } }))
    await call.write(Buffer.from('the-password'))
    await call.endInput()
    expect((await read(call.output)).toString()).toBe('the-password')
    await eventually(() => said.includes('xadd') || said.includes('XADD'))
    monitor.destroy()
    expect(said).not.toMatch(/the-password|the-command|anna/)
  })
})

test('another replica’s calls are its own', async () => {
  const other = testCaller(use.fleet(), use.server().url, { pace: quickly })
  const another = await testDock(use.fleet(), use.server().url, { one: async () => 7 }, { hostname: 'dock-3' })
  const [one, two] = await Promise.all([
    calls().ask(asked({ kind: 'one' })),
    other.ask(asked({ dock: 'dock-3', kind: 'one' })),
  ])
  expect([one, two]).toEqual([1, 7])
  await other.close()
  await another.close()
})
