import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import Joi from 'joi'
import { pino } from 'pino'
import { deferred } from '../../../test/support/deferred'
import { createApp } from './app'
import type { Gate } from './gate'
import type { Caller, Route } from './route'
import { serve, type Serving } from './serve'
import { openGate } from './testing/open-gate'

let serving: Serving
let reached = deferred()
let known = deferred()
let handled = deferred<Caller>()

/** A double that takes its time, as a look-up in Redis may. */
const gate: Gate = {
  ...openGate,
  async know(request, response) {
    // He is known when he has left. Of a WebSocket that nobody reads yet his leaving is not seen before it is read.
    if (request.headers.upgrade) known.resolve()
    else request.socket.once('close', () => known.resolve())
    reached.resolve()
    await known.promise
    return openGate.know(request, response)
  },
}

async function untilGone({ gone }: Caller): Promise<void> {
  if (!gone.aborted) await once(gone, 'abort')
}

const route = (path: string, more: Partial<Route> = {}): Route => ({
  method: 'GET',
  path,
  permission: 'GET /v1/docks',
  tag: 'test',
  summary: '',
  request: Joi.object({}),
  answers: {},
  async handle(_, caller) {
    handled.resolve(caller)
    return { status: 200, stream: async () => untilGone(caller), socket: async () => undefined }
  },
  ...more,
})

beforeAll(async () => {
  const routes = [route('/plain'), route('/socket', { upgrades: 'test.v1' })]
  const log = pino({ level: 'silent' })
  const app = createApp({ routes, pages: [], edges: [], gate, onDecided: () => undefined, log })
  serving = await serve(app, { host: '127.0.0.1', port: 0 }, () => undefined)
})

beforeEach(() => {
  reached = deferred()
  known = deferred()
  handled = deferred()
})

afterAll(() => serving.close())

const handshake =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'

async function ask(path: string, headers = ''): Promise<Socket> {
  const { hostname, port } = new URL(serving.url)
  const socket = connect(Number(port), hostname)
  socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${headers}\r\n`)
  await reached.promise
  return socket
}

test('whoever leaves before it is known who he is has left when an answer is begun for him', async () => {
  const socket = await ask('/plain')
  socket.destroy()
  const { gone, over } = await handled.promise
  expect([gone.aborted, over.aborted]).toEqual([true, true])
})

test('of a WebSocket whose caller has left while he was let in it is seen as soon as it is read', async () => {
  const socket = await ask('/socket', handshake)
  socket.destroy()
  const caller = await handled.promise
  await untilGone(caller)
  expect(caller.gone.aborted).toBe(true)
})

test.each(['end', 'destroy'] as const)(
  'whoever offers a WebSocket where there is none, and leaves by %s, is seen to leave, whatever he sent',
  async (leave) => {
    const socket = await ask('/plain', handshake)
    const caller = await handled.promise
    expect(caller.gone.aborted).toBe(false)
    socket.write('more')
    socket[leave]()
    await untilGone(caller)
    expect(caller.gone.aborted).toBe(true)
  },
)
