import { randomBytes } from 'node:crypto'
import { DebloxError } from '@deblox/actions/errors'
import { deferred } from '../../../../test/support/deferred'
import { useFleet } from '../../../../test/support/fleet-on-redis'
import { asked, echo, never, read, useCalls } from '../testing/call-ends'
import type { Answering } from './call'
import { endBytes, messageBytes } from './limits'

const use = useFleet()
const tolds: unknown[] = []
let seen: Answering | undefined

const { calls, dock } = useCalls(use, {
  echo,
  never,
  params: async (call) => {
    seen = call
    return call.params
  },
  nothing: async () => undefined,
  long: async ({ params }) => 'x'.repeat((params as { length: number }).length),
  json: async (call) => {
    await call.send(0, Buffer.from('{"a":'))
    await call.send(0, Buffer.from('1}\n'))
  },
  refuses: async () => {
    throw new DebloxError('container_not_found', 'expected a container, got none', { details: { id: 'x' } })
  },
  fails: async () => {
    throw new Error('the password is x')
  },
  breaks: async (call) => {
    await call.send(1, Buffer.from('half'))
    throw new DebloxError('daemon_unhealthy', 'expected the daemon to go on, got silence', { status: 502 })
  },
  told: async (call) => {
    tolds.length = 0
    await call.begin()
    const three = deferred()
    call.onTold((message) => void (tolds.push(message) === 3 && three.resolve()))
    await three.promise
    return tolds
  },
  channels: async (call) => {
    for (let n = 0; n < 300; n++) await call.send((n % 3) as 0, Buffer.from(`${n} `))
  },
})

describe('a question', () => {
  test('is answered with what its answerer gives', async () => {
    const params = { text: 'größe ✓', list: [1, null, true] }
    await expect(calls().ask(asked({ kind: 'params', params }))).resolves.toEqual(params)
    await expect(calls().ask(asked({ kind: 'nothing' }))).resolves.toBeUndefined()
  })

  test('reaches the answerer as it was asked', async () => {
    const given = { owner: 'anna', labels: { a: 'b' } }
    const view = { owners: ['anna'], granted: [{ owner: 'ben' }] }
    const identity = { subject: 'anna', teams: ['ops'], role: 'viewer', scopes: ['read-logs'] } as const
    await calls().ask(asked({ kind: 'params', given, view, identity }))
    expect(seen).toMatchObject({ kind: 'params', given, view, identity })
    await calls().ask(asked({ kind: 'params' }))
    expect(seen?.view).toBeUndefined()
  })

  test.each([0, messageBytes - 2, messageBytes, 1_000_000, endBytes - 2])(
    'has an answer of %d bytes',
    async (length) => {
      const answer = (await calls().ask(asked({ kind: 'long', params: { length }, withinMs: 30_000 }))) as string
      expect(answer).toHaveLength(length)
    },
    30_000,
  )

  test('has an answer that is not too long', async () => {
    const asking = calls().ask(asked({ kind: 'long', params: { length: endBytes } }))
    await expect(asking).rejects.toMatchObject({ code: 'result_too_large' })
  })

  test('is answered with what was sent as JSON where the end says nothing', async () => {
    await expect(calls().ask(asked({ kind: 'json' }))).resolves.toEqual({ a: 1 })
  })

  test('that is too large is not asked', async () => {
    const asking = calls().ask(asked({ kind: 'params', params: { text: 'x'.repeat(130_000) } }))
    await expect(asking).rejects.toMatchObject({ code: 'invalid_request' })
  })

  test('fails as its answerer fails', async () => {
    await expect(calls().ask(asked({ kind: 'refuses' }))).rejects.toMatchObject({
      code: 'container_not_found',
      status: 404,
      message: 'expected a container, got none',
      details: { id: 'x' },
    })
  })

  test('fails without the words of what no answerer should throw', async () => {
    const failing = calls().ask(asked({ kind: 'fails' }))
    await expect(failing).rejects.toMatchObject({ code: 'internal', message: expect.not.stringContaining('password') })
    expect(dock().errors).toEqual([new Error('the password is x')])
  })

  test('of a kind that nobody answers is refused, and that is told', async () => {
    await expect(calls().ask(asked({ kind: 'toString' }))).rejects.toMatchObject({ code: 'unknown_action' })
    expect(dock().refusals).toMatchObject([{ code: 'unknown_action' }])
  })

  test('to a dock without a lease fails at once', async () => {
    const { fleet } = use
    const asking = calls().ask(asked({ dock: 'dock-2', withinMs: 60_000 }))
    await expect(asking).rejects.toMatchObject({ code: 'dock_unreachable' })
    await calls().ask(asked({ kind: 'nothing' }))
    await fleet().redis.del(fleet().keys.lease('dock-1'))
    const again = calls().ask(asked({ kind: 'nothing', withinMs: 60_000 }))
    await expect(again).rejects.toMatchObject({ code: 'dock_unreachable', status: 503 })
  })

  test('to a dock that has told no key for its calls fails, too', async () => {
    const { redis, keys } = use.fleet()
    await redis.set(keys.lease('dock-2'), 'some run of its worker')
    await expect(calls().ask(asked({ dock: 'dock-2' }))).rejects.toMatchObject({ code: 'dock_unreachable' })
  })

  test('that is not answered in time is given up, on the dock, too', async () => {
    const asking = calls().ask(asked({ kind: 'never', withinMs: 200 }))
    await expect(asking).rejects.toMatchObject({ code: 'call_timeout', status: 504 })
  })
})

describe('a stream', () => {
  test('begins with what its dock tells, and ends with what it tells then', async () => {
    const call = await calls().open(asked())
    expect(call.head).toEqual({ kind: 'echo' })
    await call.write(Buffer.from('hello'))
    await call.endInput()
    await expect(read(call.output)).resolves.toEqual(Buffer.from('hello'))
    await expect(call.ended).resolves.toEqual({ bytes: 5 })
  })

  test('brings 16 MB there and back as they were', async () => {
    const call = await calls().open(asked())
    const bytes = randomBytes(16 * 1024 * 1024)
    const writing = (async () => {
      for (let at = 0, n = 1; at < bytes.length; at += n, n = (n * 7 + 3) % 400_000) {
        await call.write(bytes.subarray(at, at + n))
      }
      await call.endInput()
    })()
    const got = await read(call.output)
    await writing
    expect(got.equals(bytes)).toBe(true)
    await expect(call.ended).resolves.toEqual({ bytes: bytes.length })
  }, 30_000)

  test('keeps the order within a channel and between channels', async () => {
    const call = await calls().open(asked({ kind: 'channels' }))
    const got: { channel: number; text: string }[] = []
    for await (const { channel, bytes } of call.output) got.push({ channel, text: bytes.toString() })
    expect(got.map(({ text }) => text).join('')).toBe(Array.from({ length: 300 }, (_, n) => `${n} `).join(''))
    expect(got.every(({ channel, text }) => Number(text) % 3 === channel)).toBe(true)
  })

  test('that fails gives first what was sent before', async () => {
    const call = await calls().open(asked({ kind: 'breaks' }))
    const got: Buffer[] = []
    const reading = (async () => {
      for await (const { bytes } of call.output) got.push(bytes)
    })()
    await expect(reading).rejects.toMatchObject({ code: 'daemon_unhealthy', status: 502 })
    expect(got).toEqual([Buffer.from('half')])
    await expect(call.ended).rejects.toMatchObject({ code: 'daemon_unhealthy' })
  })

  test('is told things beside its input, in their order', async () => {
    const call = await calls().open(asked({ kind: 'told' }))
    const sizes = [1, 2, 3].map((n) => ({ resize: { cols: n, rows: n } }))
    for (const size of sizes) await call.tell(size)
    await expect(call.ended).resolves.toEqual(sizes)
    await expect(call.tell({})).rejects.toMatchObject({ code: 'stream_broken' })
  })
})
