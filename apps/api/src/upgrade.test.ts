import { once } from 'node:events'
import { connect } from 'node:net'
import { DebloxError } from '@deblox/actions/errors'
import Joi from 'joi'
import { pino } from 'pino'
import { WebSocket } from 'ws'
import { createApp } from './app'
import type { Gate } from './gate'
import { refuseRemotePages } from './auth/csrf'
import type { Caller, Route } from './route'
import { serve, type Serving } from './serve'
import { openGate } from './testing/open-gate'

let serving: Serving
let caller: Caller | undefined
let closed: Promise<unknown> | undefined

const shared = { permission: 'GET /v1/docks', tag: 'test', summary: '', answers: {} } as const

const echo: Route = {
  ...shared,
  method: 'GET',
  path: '/echo',
  upgrades: 'test.v1',
  request: Joi.object({ refuse: Joi.boolean() }),
  async handle({ refuse }, given) {
    if (refuse) throw new DebloxError('container_not_found', 'id: expected one that is there')
    caller = given
    return {
      status: 101,
      socket: async (socket) => {
        closed = once(socket, 'close')
        socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
        await closed
      },
    }
  },
}

const plain: Route = {
  ...shared,
  method: 'POST',
  path: '/plain',
  request: Joi.object({ name: Joi.string() }),
  handle: async (fields) => ({ status: 200, body: fields }),
}

const slow: Route = {
  ...shared,
  method: 'GET',
  path: '/slow',
  request: Joi.object({}),
  async handle(_, { gone }) {
    if (!gone.aborted) await once(gone, 'abort')
    return { status: 204 }
  },
}

/** A double that looks at where requests come from, as the API without identities does. */
const gate: Gate = {
  ...openGate,
  know: async (request, response) => {
    refuseRemotePages(request)
    return openGate.know(request, response)
  },
}

beforeAll(async () => {
  const log = pino({ level: 'silent' })
  const app = createApp({ routes: [echo, plain, slow], pages: [], edges: [], gate, onDecided: () => undefined, log })
  const patience = { headersTimeout: 2_000, requestTimeout: 2_000, keepAliveTimeout: 500, slowReader: 2_000 }
  const timing = { ...patience, connectionsCheckingInterval: 100 }
  serving = await serve(app, { host: '127.0.0.1', port: 0 }, () => undefined, timing)
})

afterAll(() => serving.close())

const socketTo = (path: string, options: object = {}) =>
  new WebSocket(serving.url.replace('http', 'ws') + path, 'test.v1', options)

/** How the API answers a handshake by HTTP. */
async function refusal(path: string, options: object = {}): Promise<{ status: number; body: object }> {
  const socket = socketTo(path, options)
  const [, response] = (await once(socket, 'unexpected-response')) as [
    unknown,
    NodeJS.ReadableStream & { statusCode: number },
  ]
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return { status: response.statusCode, body: JSON.parse(text) as object }
}

test('a WebSocket goes through the application, with its sub-protocol, and says when its caller leaves', async () => {
  const socket = socketTo('/echo')
  await once(socket, 'open')
  expect(socket.protocol).toBe('test.v1')
  socket.send(Buffer.from([0, 255, 1]))
  const [data] = (await once(socket, 'message')) as [Buffer]
  expect([...data]).toEqual([0, 255, 1])
  const gone = once(caller!.gone, 'abort')
  socket.terminate()
  await gone
  await closed
})

test.each([
  ['a refusal', '/echo?refuse=true', 404, 'container_not_found'],
  ['a bad field', '/echo?other=1', 400, 'invalid_request'],
  ['no such route', '/none', 404, 'route_not_found'],
])('%s is answered by HTTP as ever', async (_, path, status, code) => {
  expect(await refusal(path)).toMatchObject({ status, body: { code } })
})

test("another site's page gets no socket", async () => {
  const answer = await refusal('/echo', { headers: { origin: 'http://evil.example' } })
  expect(answer).toMatchObject({ status: 403, body: { code: 'csrf_refused' } })
})

test('a plain request is told to upgrade', async () => {
  const answer = await fetch(`${serving.url}/echo`)
  expect(answer.status).toBe(426)
  expect(await answer.json()).toMatchObject({ code: 'upgrade_required', detail: expect.stringContaining('test.v1') })
})

/** All that comes on a connection until it is closed. Each part is said when an answer to what was said before it has begun. */
async function talk(...said: string[]): Promise<string> {
  const { hostname, port } = new URL(serving.url)
  const socket = connect(Number(port), hostname)
  let text = ''
  socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
  for (const [n, part] of said.entries()) {
    if (n > 0) await once(socket, 'data')
    socket.write(part)
  }
  await once(socket, 'close')
  return text
}

const websocket = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n'
const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
const h2c = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n'
const body = '{"name":"web"}'
const post = `POST /plain HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${body.length}\r\n`
const last = `${post}Connection: close\r\n\r\n${body}`

test('whoever is refused does not keep his connection, whatever he goes on sending', async () => {
  const text = await talk(`GET /echo?refuse=true HTTP/1.1\r\nHost: 127.0.0.1\r\n${websocket}${key}\r\nmore`)
  expect(text).toContain('HTTP/1.1 404')
})

test.each([
  ['no key', 'GET', websocket, 400],
  ['another version', 'GET', websocket.replace('13', '99') + key, 400],
  ['a protocol twice', 'GET', `${websocket}${key}Sec-WebSocket-Protocol: a, a\r\n`, 400],
  ['another protocol', 'GET', `${websocket}${key}Sec-WebSocket-Protocol: other\r\n`, 400],
  ['another method', 'HEAD', websocket + key, 426],
])('a handshake with %s is refused before anything is begun for it', async (_, method, headers, status) => {
  caller = undefined
  const text = await talk(`${method} /echo HTTP/1.1\r\nHost: 127.0.0.1\r\n${headers}\r\n`, last)
  expect(text).toContain(`HTTP/1.1 ${status}`)
  expect(caller).toBeUndefined()
})

test.each([
  ['an offer of HTTP/2', h2c],
  ['a WebSocket for something else than a GET', websocket + key],
])('%s is an ordinary request, its body and those after it on the connection too', async (_, headers) => {
  const text = await talk(`${post}${headers}\r\n${body}`, last)
  expect(text.match(/HTTP\/1.1 200 OK/g)).toHaveLength(2)
  expect(text.match(/\{"name":"web"\}/g)).toHaveLength(2)
})

test('a WebSocket asked for before an earlier request on the connection is answered ends that connection, and nothing else', async () => {
  const { hostname, port } = new URL(serving.url)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => undefined)
  socket.write(
    `GET /slow HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /echo HTTP/1.1\r\nHost: 127.0.0.1\r\n${websocket}${key}\r\n`,
  )
  await once(socket.resume(), 'close')
  expect((await fetch(`${serving.url}/echo`)).status).toBe(426)
})

test('thousands of such offers at once cost no more than as many requests, and the connection is not kept', async () => {
  const began = performance.now()
  const text = await talk(`${post}${h2c}\r\n${body}`.repeat(2_000) + last)
  expect(text).toContain('HTTP/1.1 200 OK')
  expect(performance.now() - began).toBeLessThan(4_000)
})
