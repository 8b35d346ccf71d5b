import { getEventListeners, once, setMaxListeners } from 'node:events'
import { connect, type Socket } from 'node:net'
import { DebloxError } from '@deblox/actions/errors'
import Joi from 'joi'
import { pino } from 'pino'
import { WebSocket } from 'ws'
import { deferred } from '../../../test/support/deferred'
import { eventually } from '../../../test/support/eventually'
import { createApp } from './app'
import type { Caller, Route } from './route'
import { serve, type Serving } from './serve'
import { CallerLeft } from './streams/outgoing'
import { openGate } from './testing/open-gate'

let stopping: AbortController
let serving: Serving
let callers: Caller[]

const route = (path: string, handle: Route['handle'], more: Partial<Route> = {}): Route => ({
  method: 'GET',
  path,
  permission: 'GET /v1/docks',
  tag: 'test',
  summary: '',
  request: Joi.object({}),
  answers: {},
  handle: (fields, caller) => {
    callers.push(caller)
    return handle(fields, caller)
  },
  ...more,
})

const untilOver = async ({ over }: Caller): Promise<void> => {
  if (!over.aborted) await once(over, 'abort')
}
const refuse = async () => {
  throw new DebloxError('container_not_found', 'id: expected one that is there')
}

const routes = [
  route('/whole', async () => ({ status: 200, body: {} })),
  route('/refused', refuse),
  route('/broken', () => Promise.reject(new Error('a fault'))),
  route('/stream', async () => ({ status: 200, stream: (out) => out.write('all of it') })),
  route('/cut', async () => ({ status: 200, stream: (out) => out.write('a part').then(refuse) })),
  route('/open', async (_, caller) => ({ status: 200, stream: () => untilOver(caller) })),
  route('/never', () => deferred<never>().promise),
  route('/socket', async () => ({ status: 101, socket: async (socket) => socket.close() }), { upgrades: 'test.v1' }),
  route('/no-socket', refuse, { upgrades: 'test.v1' }),
]

beforeEach(async () => {
  callers = []
  stopping = new AbortController()
  setMaxListeners(0, stopping.signal)
  const log = pino({ level: 'silent' })
  const deps = { routes, pages: [], edges: [], gate: openGate, onDecided: () => undefined, log }
  const app = createApp({ ...deps, stopping: stopping.signal })
  serving = await serve(app, { host: '127.0.0.1', port: 0 }, () => undefined)
})

afterEach(() => serving.close())

const listeners = () => getEventListeners(stopping.signal, 'abort').length
const reached = (count: number) => eventually(() => callers.length === count)
const handshake =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'

async function ask(path: string, { headers = '', times = 1 } = {}): Promise<Socket> {
  const { hostname, port } = new URL(serving.url)
  const socket = connect(Number(port), hostname).on('error', () => undefined)
  socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${headers}\r\n`.repeat(times))
  await reached(times)
  return socket
}

test.each(['/whole', '/refused', '/broken', '/stream', '/cut'])(
  'nothing of a request listens any more to whether the API stops when it has been answered: %s',
  async (path) => {
    for (let asked = 0; asked < 30; asked++)
      await fetch(serving.url + path).then(
        ({ text }) => text,
        () => undefined,
      )
    expect(callers).toHaveLength(30)
    await eventually(() => expect(listeners()).toBe(0))
  },
)

test.each(['/socket', '/no-socket'])('nor does it when a WebSocket is over, or was refused: %s', async (path) => {
  const socket = new WebSocket(serving.url.replace('http', 'ws') + path, 'test.v1').on('error', () => undefined)
  await new Promise((resolve) => socket.once('close', resolve))
  await reached(1)
  await eventually(() => expect(listeners()).toBe(0))
})

test.each([
  ['before there is an answer', '/never', ''],
  ['while he is answered', '/open', ''],
  ['who offers a WebSocket where there is none', '/open', handshake],
])('nor of one whose caller leaves %s', async (_, path, headers) => {
  const socket = await ask(path, { headers })
  expect(listeners()).toBe(1)
  socket.destroy()
  await eventually(() => expect(listeners()).toBe(0))
  expect(callers[0]?.over.reason).toBeInstanceOf(CallerLeft)
})

test.each(['/never', '/open'])(
  'nor of those that wait for their turn on a connection that closes: %s',
  async (path) => {
    const socket = await ask(path, { times: 20 })
    expect(listeners()).toBe(20)
    socket.destroy()
    await eventually(() => expect(listeners()).toBe(0))
    expect(callers.every(({ gone }) => gone.aborted)).toBe(true)
  },
)

test('an answer is over when the API stops, and is told why; its caller has not left', async () => {
  await ask('/open')
  const reason = new DebloxError('stream_broken', 'the API replica stops')
  stopping.abort(reason)
  const [{ over, gone }] = callers as [Caller]
  expect(over.reason).toBe(reason)
  expect(gone.aborted).toBe(false)
  expect(listeners()).toBe(0)
})

test('an answer that is begun when the API stops is over at once', async () => {
  const reason = new DebloxError('stream_broken', 'the API replica stops')
  stopping.abort(reason)
  await ask('/open')
  expect(callers[0]?.over.reason).toBe(reason)
})
