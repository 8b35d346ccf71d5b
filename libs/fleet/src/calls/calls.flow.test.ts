import { setImmediate as turn } from 'node:timers/promises'
import { eventually } from '../../../../test/support/eventually'
import { useFleet } from '../../../../test/support/fleet-on-redis'
import { asked, echo, flood, never, quickly, read, useCalls } from '../testing/call-ends'
import type { Answerer } from './call'
import { frameBytes, windowBytes } from './limits'

const use = useFleet()
const { answerer, sent } = flood()
const rooms: number[] = []
let told: Error | undefined

const unread: Answerer = async (call) => {
  await call.begin()
  await new Promise<void>((resolve) => call.signal.addEventListener('abort', () => resolve()))
  told = call.signal.reason as Error
}

const { calls, dock } = useCalls(
  use,
  {
    echo,
    never,
    unread,
    flood: answerer,
    one: async () => ({ one: 1 }),
    rooms: async (call) => {
      rooms.splice(0, Infinity, call.room)
      await call.send(1, Buffer.alloc(frameBytes))
      rooms.push(call.room)
      await Promise.race([call.send(1, Buffer.alloc(windowBytes)), turn()])
      rooms.push(call.room)
    },
  },
  { dock: { pace: quickly }, api: { pace: quickly } },
)

/** What Redis holds of the frames of all replicas and of what docks are asked, in bytes. */
async function inRedis(): Promise<number> {
  const redis = use.redis()
  const found = await redis.keys(`${use.fleet().prefix}:{frames,calls}:*`)
  const names = [...found, ...(await redis.keys(`${use.fleet().prefix}:frames:*`)), use.fleet().keys.calls('dock-1')]
  const sizes = await Promise.all(names.map((name) => redis.memory('USAGE', name, 'SAMPLES', 0)))
  return sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0)
}

/** Resolves when a number has not changed for several looks. */
async function atRest(look: () => number): Promise<number> {
  let before = -1
  let same = 0
  return eventually(look, (now) => {
    same = now === before ? same + 1 : 0
    before = now
    return same > 10
  })
}

test('who does not read makes the dock wait, and Redis keeps nothing of it', async () => {
  const before = sent()
  const call = await calls().open(asked({ kind: 'flood' }))
  const waiting = await atRest(sent)
  expect(waiting - before).toBeLessThanOrEqual(windowBytes)
  expect(await inRedis()).toBeLessThan(windowBytes)
  for await (const { bytes } of call.output) {
    expect(bytes.length).toBeGreaterThan(0)
    if (sent() - before > 10 * windowBytes) break
  }
  await eventually(() => dock().count === 0)
}, 20_000)

test('a dock that does not read makes its caller wait, who can leave all the same', async () => {
  const call = await calls().open(asked({ kind: 'unread' }))
  let written = 0
  const writing = (async () => {
    for (;;) {
      await call.write(Buffer.alloc(10_000))
      written += 10_000
    }
  })()
  const refusal = writing.catch((error: unknown) => error)
  await expect(atRest(() => written)).resolves.toBeLessThanOrEqual(windowBytes)
  call.cancel()
  expect(await refusal).toMatchObject({ code: 'stream_broken' })
  await expect(call.ended).rejects.toMatchObject({ code: 'stream_broken' })
  await eventually(() => dock().count === 0)
  expect(told).toMatchObject({ code: 'stream_broken' })
}, 20_000)

test('tiny pieces are put together, and a window of them is no million frames', async () => {
  const call = await calls().open(asked())
  const reading = read(call.output)
  for (let n = 0; n < 20_000; n++) void call.write(Buffer.of(n % 256))
  await call.endInput()
  const got = await reading
  expect(got.equals(Buffer.from(Array.from({ length: 20_000 }, (_, n) => n % 256)))).toBe(true)
  expect((call as unknown as { line: { sealer: { count: number } } }).line.sealer.count).toBeLessThan(200)
})

test('a dock knows how much room there is', async () => {
  const call = await calls().open(asked({ kind: 'rooms' }))
  const [first = 0, second = 0, third = 1] = await eventually(
    () => rooms,
    ({ length }) => length === 3,
  )
  expect(first).toBeGreaterThan(windowBytes - 1_000)
  expect(second).toBeLessThan(first - frameBytes + 1_000)
  expect(third).toBeLessThanOrEqual(0)
  call.cancel()
})

describe('whoever leaves is told to the dock', () => {
  test.each([
    ['by his signal', (_: unknown, leave: AbortController) => leave.abort()],
    ['by cancelling', (call: { cancel(): void }) => call.cancel()],
    [
      'by not reading on',
      async (call: { output: AsyncIterable<unknown> }) => {
        for await (const _ of call.output) break
      },
    ],
  ])('%s', async (_, how) => {
    const leave = new AbortController()
    const call = await calls().open(asked({ kind: 'flood', signal: leave.signal }))
    expect(dock().count).toBe(1)
    await how(call, leave)
    await eventually(() => dock().count === 0)
    await expect(call.ended).rejects.toMatchObject({ code: 'stream_broken' })
    await expect(call.write(Buffer.of(1))).rejects.toMatchObject({ code: 'stream_broken' })
    expect(calls().count).toBe(0)
  })

  test('before the dock has begun to answer', async () => {
    const leave = new AbortController()
    const opening = calls().ask(asked({ kind: 'never', signal: leave.signal }))
    await eventually(() => dock().count === 1)
    leave.abort()
    await expect(opening).rejects.toMatchObject({ code: 'stream_broken' })
    await eventually(() => dock().count === 0)
  })

  test('when his time is over', async () => {
    const asking = calls().ask(asked({ kind: 'never', withinMs: 200 }))
    await expect(asking).rejects.toMatchObject({ code: 'call_timeout' })
    await eventually(() => dock().count === 0)
  })

  test('and before he has asked nothing is sent at all', async () => {
    const opening = calls().open(asked({ signal: AbortSignal.abort() }))
    await expect(opening).rejects.toMatchObject({ code: 'stream_broken' })
    await expect(use.redis().exists(use.fleet().keys.calls('dock-1'))).resolves.toBe(0)
  })
})

test('a busy call does not keep others waiting', async () => {
  const busy = await Promise.all([1, 2, 3].map(() => calls().open(asked({ kind: 'flood' }))))
  const reading = busy.map((call) => read(call.output).catch(() => undefined))
  for (let n = 0; n < 20; n++)
    await expect(calls().ask(asked({ kind: 'one', withinMs: 5_000 }))).resolves.toEqual({ one: 1 })
  for (const call of busy) call.cancel()
  await Promise.all(reading)
}, 20_000)

test('nobody has to wait for what he sends, or for an end', async () => {
  const unhandled: unknown[] = []
  const hear = (error: unknown) => void unhandled.push(error)
  process.on('unhandledRejection', hear)
  const call = await calls().open(asked({ kind: 'unread' }))
  void call.write(Buffer.alloc(2 * windowBytes))
  void call.tell({})
  call.cancel()
  void call.write(Buffer.of(1))
  void call.endInput()
  await eventually(() => dock().count === 0)
  await turn()
  process.off('unhandledRejection', hear)
  expect(unhandled).toEqual([])
})

test('what had arrived before the end can be read after it, although the caller says that he leaves', async () => {
  const call = await calls().open(asked())
  await call.write(Buffer.from('all of it'))
  await call.endInput()
  await call.ended
  call.cancel()
  await expect(read(call.output)).resolves.toEqual(Buffer.from('all of it'))
})
