import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Identity } from '@deblox/actions/access/identity'
import { DebloxError } from '@deblox/actions/errors'
import type { Response } from 'express'
import { CallerLeft, Outgoing } from './outgoing'
import { whileAllowed } from './right'
import { formatEvent, speakEvents } from './sse'

const patienceMs = 2_000

let server: Server
let answer: (out: Outgoing) => Promise<void>
let result: Promise<unknown>

beforeAll(async () => {
  server = createServer((_request, response) => {
    result = answer(new Outgoing(response as Response, patienceMs)).then(
      () => response.end(),
      (error: unknown) => error,
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})

afterAll(() => {
  server.close()
  server.closeAllConnections()
})

/** A caller who takes nothing until he is told to. */
async function ask(): Promise<IncomingMessage> {
  const { port } = server.address() as AddressInfo
  const sent = request({ port, host: '127.0.0.1' }).end()
  sent.on('error', () => undefined)
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  response.on('error', () => undefined)
  return response
}

const megabyte = Buffer.alloc(2 ** 20, 'x')

test('an answer is written as fast as it is taken', async () => {
  let most = 0
  answer = async (out) => {
    for (let n = 0; n < 50; n++) {
      await out.write(megabyte)
      most = Math.max(most, out.buffered)
    }
  }
  const response = await ask()
  let size = 0
  for await (const chunk of response) size += (chunk as Buffer).length
  expect(size).toBe(50 * megabyte.length)
  expect(most).toBeLessThan(2 * megabyte.length)
})

test('a caller who takes nothing is left in the end, and one who leaves is noticed', async () => {
  answer = async (out) => {
    for (;;) await out.write(megabyte)
  }
  const stalled = await ask()
  stalled.pause()
  expect(await result).toBeInstanceOf(CallerLeft)

  const leaving = await ask()
  leaving.destroy()
  expect(await result).toBeInstanceOf(CallerLeft)
})

test('what cannot wait for a slow caller makes him be left', async () => {
  answer = async (out) => {
    await out.write('the head goes with it')
    for (;;) out.push('x'.repeat(1_000), 100_000)
  }
  const response = await ask()
  response.pause()
  expect(await result).toMatchObject({ message: expect.stringMatching(/got one for whom \d+ bytes wait/) })
})

describe('server-sent events', () => {
  test('are as the standard has them', () => {
    expect(formatEvent({ id: '1-0', event: 'dock.changed', data: { a: 'b\nc' } })).toBe(
      'id: 1-0\nevent: dock.changed\ndata: {"a":"b\\nc"}\n\n',
    )
    expect(formatEvent({ data: 1 })).toBe('data: 1\n\n')
  })

  test('are said until they must not be any more, and then it is told why', async () => {
    const over = new AbortController()
    let stopped = false
    answer = (out) =>
      speakEvents(out, over.signal, (send) => {
        send({ data: 1 })
        return () => {
          stopped = true
        }
      })
    const response = await ask()
    const pieces = response[Symbol.asyncIterator]()
    let text = ''
    while (!text.endsWith('data: 1\n\n')) text += String((await pieces.next()).value)
    expect(text).toBe('retry: 1000\n\ndata: 1\n\n')
    over.abort(new DebloxError('unauthenticated', 'revoked'))
    expect(await result).toMatchObject({ code: 'unauthenticated' })
    expect(stopped).toBe(true)
  })

  test('end in silence where the caller has left', async () => {
    const over = new AbortController()
    answer = (out) => speakEvents(out, over.signal, () => () => undefined)
    const response = await ask()
    over.abort(new CallerLeft())
    expect(await result).not.toBeInstanceOf(Error)
    response.destroy()
  })
})

describe('whileAllowed', () => {
  const anna: Identity = { subject: 'anna', teams: [], role: 'operator' }
  const over = (): AbortController => new AbortController()

  test('ends when the check fails, with what it threw, and asks with the identity as it is now', async () => {
    const seen: string[] = []
    const now: Identity[] = [anna, { ...anna, role: 'viewer' }]
    const still = async () => now.shift() ?? anna
    const check = async ({ role }: Identity) => {
      seen.push(role)
      if (role === 'viewer') throw new DebloxError('forbidden', 'not any more')
    }
    const signal = whileAllowed({ over: over().signal, still }, check, 1)
    await once(signal, 'abort')
    expect(signal.reason).toMatchObject({ code: 'forbidden' })
    expect(seen).toEqual(['operator', 'viewer'])
  })

  test('ends when the caller is not known any more', async () => {
    const still = () => Promise.reject(new DebloxError('unauthenticated', 'revoked'))
    const signal = whileAllowed({ over: over().signal, still }, async () => undefined, 1)
    await once(signal, 'abort')
    expect(signal.reason).toMatchObject({ code: 'unauthenticated' })
  })

  test('goes on while nobody can say, and ends with its caller', async () => {
    let asked = 0
    const caller = over()
    const still = async () => {
      if (++asked === 5) caller.abort(new CallerLeft())
      throw new DebloxError('redis_unavailable', 'away')
    }
    const signal = whileAllowed({ over: caller.signal, still }, async () => undefined, 1)
    await once(signal, 'abort')
    expect(signal.reason).toBeInstanceOf(CallerLeft)
  })
})
