import { randomUUID } from 'node:crypto'
import { eventually } from '../../../../test/support/eventually'
import { useFleet } from '../../../../test/support/fleet-on-redis'
import { asked, echo, flood, never, quickly, read, testCaller, testDock, useCalls } from '../testing/call-ends'
import { connectRedis, whenReady } from '../redis'

const use = useFleet()
let isHeld = true
const { calls, dock } = useCalls(
  use,
  { echo, never, flood: flood().answerer, one: async () => 1 },
  { dock: { pace: quickly, isHeld: () => isHeld }, api: { pace: quickly } },
)

const framesKeys = () => use.redis().keys(`${use.fleet().prefix}:frames:*`)
const callsKey = () => use.fleet().keys.calls('dock-1')

beforeEach(() => {
  isHeld = true
})

test('a stream that is silent goes on as long as both ends live', async () => {
  const call = await calls().open(asked())
  const beats = async () => (await use.redis().xinfo('STREAM', callsKey())) as (string | number)[]
  const entered = async () => Number((await beats())[(await beats()).indexOf('entries-added') + 1])
  const before = await entered()
  // Longer than it takes to give a silent end up.
  await eventually(async () => (await entered()) > before + 10, undefined, { within: 5_000 })
  await call.write(Buffer.from('x'))
  await call.endInput()
  await expect(read(call.output)).resolves.toEqual(Buffer.from('x'))
})

test('what a replica had asked ends on the dock when the replica is dead', async () => {
  // Its pace is so slow that it says nothing of itself, as if it were gone.
  const dead = testCaller(use.fleet(), use.server().url, { pace: { ...quickly, beatMs: 3_600_000 } })
  const call = await dead.open(asked({ kind: 'never' }))
  expect(dock().count).toBe(1)
  await eventually(() => dock().count === 0)
  await expect(call.ended).rejects.toMatchObject({ code: 'stream_broken' })
  await dead.close()
})

test('what a replica had asked ends on the dock at once when the replica’s stream is gone', async () => {
  const call = await calls().open(asked({ kind: 'flood' }))
  const reading = read(call.output)
  await use.redis().del(...(await framesKeys()))
  await expect(reading).rejects.toMatchObject({ code: 'stream_broken' })
  await eventually(() => dock().count === 0)
  await expect(calls().ask(asked({ kind: 'one' }))).resolves.toBe(1)
})

test('what a dock was answering fails when the dock is silent', async () => {
  const hostname = 'dock-2'
  const silent = await testDock(
    use.fleet(),
    use.server().url,
    { never },
    { hostname, pace: { ...quickly, beatMs: 3_600_000 } },
  )
  const call = await calls().open(asked({ dock: hostname, kind: 'never' }))
  await expect(call.ended).rejects.toMatchObject({ code: 'stream_broken' })
  await expect(read(call.output)).rejects.toMatchObject({ code: 'stream_broken' })
  await silent.close()
})

test('what a dock was answering fails when the dock stops, and says so', async () => {
  const hostname = 'dock-2'
  const stops = await testDock(use.fleet(), use.server().url, { never }, { hostname })
  const call = await calls().open(asked({ dock: hostname, kind: 'never' }))
  await stops.close()
  await expect(call.ended).rejects.toMatchObject({ code: 'stream_broken', message: expect.stringContaining('stops') })
  await expect(use.redis().exists(use.fleet().keys.calls(hostname))).resolves.toBe(0)
})

test('the next worker of a dock is asked as the one before was', async () => {
  await calls().ask(asked({ kind: 'one' }))
  const { sealKey } = dock()
  await dock().close()
  const next = await testDock(use.fleet(), use.server().url, { one: async () => 2 }, { sealKey })
  await expect(calls().ask(asked({ kind: 'one' }))).resolves.toBe(2)
  await next.close()
})

test('a dock with another key than before is not asked', async () => {
  await calls().ask(asked({ kind: 'one' }))
  await dock().close()
  const next = await testDock(use.fleet(), use.server().url, { one: async () => 2 })
  await expect(calls().ask(asked({ kind: 'one' }))).rejects.toMatchObject({ code: 'dock_replaced' })
  await next.close()
})

test('a worker without its lease answers nothing, reads nothing, and ends what it was answering', async () => {
  const call = await calls().open(asked({ kind: 'never' }))
  isHeld = false
  await expect(call.ended).rejects.toMatchObject({ code: 'lease_lost' })
  await eventually(() => dock().count === 0)
  await use.redis().xadd(callsKey(), '*', 'f', 'of the next worker')
  // A read that was under way when the lease was lost may still have taken something.
  const rest = await use.redis().xadd(callsKey(), '*', 'f', 'of the next worker')
  await expect(calls().ask(asked({ kind: 'one', withinMs: 200 }))).rejects.toMatchObject({ code: 'call_timeout' })
  const left = await use.redis().xrange(callsKey(), String(rest), '+')
  expect(left.length).toBeGreaterThan(0)
})

test('a dock that takes nothing is not asked more and more', async () => {
  isHeld = false
  const redis = use.redis().pipeline()
  for (let n = 0; n < 5_000; n++) redis.xadd(callsKey(), '*', 'f', 'x')
  await redis.exec()
  const asking = calls().ask(asked({ kind: 'one', withinMs: 60_000 }))
  await expect(asking).rejects.toMatchObject({ code: 'dock_unreachable' })
})

describe('where Redis has lost frames', () => {
  test('a stream fails as soon as the next one comes', async () => {
    const call = await calls().open(asked())
    const [key = ''] = await framesKeys()
    const paused = use.redis().xtrim(key, 'MAXLEN', 0)
    await paused
    skip(call)
    await call.write(Buffer.from('x'))
    await expect(call.ended).rejects.toMatchObject({ code: 'stream_broken', message: expect.stringContaining('frame') })
    await eventually(() => dock().count === 0)
  })

  test('a stream fails also when none comes, because its ends tell each other how far they are', async () => {
    const call = await calls().open(asked({ kind: 'never' }))
    skip(call)
    await expect(call.ended).rejects.toMatchObject({ code: 'stream_broken' })
    await eventually(() => dock().count === 0)
  })

  test('a stream fails when what is missing is its end', async () => {
    const call = await calls().open(asked())
    const beside = await calls().open(asked({ kind: 'never' }))
    loseEnd(call)
    await call.endInput()
    await expect(call.ended).rejects.toMatchObject({
      code: 'stream_broken',
      message: expect.stringContaining('other end'),
    })
    expect(dock().count).toBe(1)
    beside.cancel()
  })
})

/** As if a frame to the dock had been lost: its counter is used and it is not sent. */
const skip = (call: unknown): void => {
  ;(call as { line: { sealer: { count: number } } }).line.sealer.count++
}

/** As if the last frame that the dock sends had been lost. */
const loseEnd = (call: unknown): void => {
  const { line } = call as { line: { open: (values: Buffer[]) => { kind: string } | null } }
  const open = line.open.bind(line)
  line.open = (values) => {
    const frame = open(values)
    return frame?.kind === 'end' ? null : frame
  }
}

describe('Redis, away and back', () => {
  const again = { within: 20_000 }

  test('ends no stream of which it has kept all', async () => {
    const fast = connectRedis(use.server().url, 'fail-fast')
    fast.on('error', () => {})
    await whenReady(fast, 5_000)
    const api = testCaller({ ...use.fleet(), redis: fast }, use.server().url)
    const call = await api.open(asked())
    const got: string[] = []
    const reading = (async () => {
      for await (const { bytes } of call.output) got.push(bytes.toString())
    })()
    await call.write(Buffer.from('1'))
    await eventually(() => got.join('') === '1')
    await use.server().kill()
    await call.write(Buffer.from('2'))
    await use.server().start()
    await call.write(Buffer.from('3'))
    await eventually(() => got.join('') === '123', undefined, again)
    await call.endInput()
    await reading
    await expect(call.ended).resolves.toEqual({ bytes: 3 })
    await api.close()
    fast.disconnect()
  }, 40_000)

  test('ends streams when it was away for too long', async () => {
    const call = await calls().open(asked({ kind: 'never' }))
    await use.server().kill()
    await expect(call.ended).rejects.toMatchObject({ code: 'stream_broken' })
    await eventually(() => dock().count === 0, undefined, again)
    await use.server().start()
    await eventually(async () => (await calls().ask(asked({ kind: 'one' }))) === 1, undefined, again)
  }, 40_000)
})

test('what is closed leaves no key, no connection and no timer', async () => {
  const hostname = 'dock-2'
  // Those of the test's own ends are there then.
  await calls().ask(asked({ kind: 'one' }))
  const connections = async () =>
    [...((await use.redis().client('LIST')) as string).matchAll(/^id=(\d+)/gm)].map(String)
  const before = new Set(await connections())
  const opened = async () => (await connections()).filter((id) => !before.has(id)).length
  const replica = randomUUID()
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  const timersBefore = timers()
  const one = await testDock(use.fleet(), use.server().url, { echo, never }, { hostname })
  const api = testCaller(use.fleet(), use.server().url, { replica })
  const open = await api.open(asked({ dock: hostname }))
  const other = await api.open(asked({ dock: hostname, kind: 'never' }))
  expect(await opened()).toBe(2)
  const ends = Promise.allSettled([open.ended, other.ended])
  await api.close()
  await ends
  await eventually(() => one.count === 0)
  await one.close()
  await eventually(async () => (await opened()) === 0)
  await eventually(() => timers() <= timersBefore)
  const { frames, calls: callsOf } = use.fleet().keys
  await expect(use.redis().exists(frames(replica), callsOf(hostname))).resolves.toBe(0)
  await expect(api.open(asked())).rejects.toMatchObject({ code: 'stream_broken' })
})

test('what nobody closes expires by itself', async () => {
  const call = await calls().open(asked({ kind: 'never' }))
  const lives = await Promise.all([...(await framesKeys()), callsKey()].map((key) => use.redis().pttl(key)))
  expect(lives).toHaveLength(2)
  for (const life of lives) expect(life).toBeGreaterThan(0)
  call.cancel()
})
