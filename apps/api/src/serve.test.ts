import { once } from 'node:events'
import { Agent, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { deferred } from '../../../test/support/deferred'
import { connectionsFor, serve, type Serving } from './serve'

let held: ServerResponse[]
let arrived = deferred()
let refused: number
let serving: Serving
const sockets: Socket[] = []

beforeEach(async () => {
  held = []
  arrived = deferred()
  refused = 0
  serving = await serve(
    (_request, response) => {
      held.push(response)
      arrived.resolve()
    },
    { host: '127.0.0.1', port: 0 },
    () => refused++,
  )
})

afterEach(async () => {
  for (const response of held) response.end()
  for (const socket of sockets.splice(0)) socket.destroy()
  await serving.close()
})

const agent = new Agent({ keepAlive: true })

async function ask(): Promise<IncomingMessage> {
  const [reply] = (await once(request(serving.url, { agent }).end(), 'response')) as [IncomingMessage]
  reply.resume()
  return reply
}

test('when it closes, a request under way is answered, and its caller told to go elsewhere', async () => {
  const asked = ask()
  await arrived.promise
  const closed = serving.close()
  held[0]?.end('late')
  const reply = await asked
  expect(reply.headers.connection).toBe('close')
  await closed
  await expect(ask()).rejects.toThrow('ECONNREFUSED')
})

test('an idle connection does not keep it', async () => {
  const socket = connect(Number(new URL(serving.url).port), '127.0.0.1')
  sockets.push(socket)
  await once(socket, 'connect')
  const ended = once(socket, 'close')
  const began = performance.now()
  await serving.close()
  await ended
  expect(performance.now() - began).toBeLessThan(1_000)
})

test('a port in use is told in one line', async () => {
  const { port } = new URL(serving.url)
  await expect(
    serve(
      () => {},
      { host: '127.0.0.1', port: Number(port) },
      () => {},
    ),
  ).rejects.toMatchObject({
    name: 'StartError',
    message: `PORT: expected a free port of 127.0.0.1, got ${port}, which is in use`,
  })
})

describe('a caller that is too slow', () => {
  const times = {
    headersTimeout: 200,
    requestTimeout: 300,
    keepAliveTimeout: 200,
    slowReader: 200,
    connectionsCheckingInterval: 50,
  }
  let port: number
  let impatient: Serving
  let answer: (response: ServerResponse) => void

  beforeEach(async () => {
    answer = (response) => response.end('answer')
    impatient = await serve(
      (request, response) => {
        request.resume()
        request.on('end', () => answer(response))
      },
      { host: '127.0.0.1', port: 0 },
      () => {},
      times,
    )
    port = Number(new URL(impatient.url).port)
  })

  afterEach(() => impatient.close())

  /** Sends bytes, then one more now and then; answers what came back until the connection was closed. */
  async function drip(start: string, more = 'a'): Promise<string> {
    const socket = connect(port, '127.0.0.1')
    sockets.push(socket)
    socket.on('error', () => undefined)
    socket.write(start)
    const timer = setInterval(() => more !== '' && socket.write(more), 40)
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    await once(socket, 'close')
    clearInterval(timer)
    return Buffer.concat(chunks).toString()
  }

  test.each([
    ['its headers', 'GET / HTTP/1.1\r\nHost: a\r\nX: '],
    ['its body', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n'],
    ['its body in chunks', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n'],
  ])('with %s is told so, and left', async (_, start) => {
    expect(await drip(start)).toMatch(/^HTTP\/1\.1 408 [^]*"code":"invalid_request"/)
  })

  test('with a next request is left', async () => {
    expect(await drip('GET / HTTP/1.1\r\nHost: a\r\n\r\n', '')).toMatch(/^HTTP\/1\.1 200 [^]*answer$/)
  })

  test('to take its answer is left, and with it what was kept for it', async () => {
    const closed = deferred()
    answer = (response) => {
      response.on('close', () => closed.resolve())
      response.end(Buffer.alloc(64 * 2 ** 20))
    }
    const socket = connect(port, '127.0.0.1')
    sockets.push(socket)
    socket.on('error', () => undefined)
    socket.pause()
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await expect(closed.promise).resolves.toBeUndefined()
  })

  test('but one that takes it in time gets all of it, however long that was to come', async () => {
    const late = deferred()
    answer = (response) => void late.promise.then(() => response.end(Buffer.alloc(4 * 2 ** 20)))
    const socket = connect(port, '127.0.0.1')
    sockets.push(socket)
    let bytes = 0
    socket.on('data', (chunk: Buffer) => (bytes += chunk.length))
    socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    // A caller beside it has been left meanwhile: as long as that, this one was waited for.
    await drip('GET / HTTP/1.1\r\nHost: a\r\nX: ')
    late.resolve()
    await once(socket, 'close')
    expect(bytes).toBeGreaterThan(4 * 2 ** 20)
  })
})

test.each([
  [100, 200],
  [101, 431],
  [1_000, 431],
])('a request of %d headers is answered %d', async (count, status) => {
  const socket = connect(Number(new URL(serving.url).port), '127.0.0.1')
  sockets.push(socket)
  const names = Array.from({ length: count - 2 }, (_, n) => `X${n}: 1\r\n`).join('')
  socket.write(`GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${names}\r\n`)
  void arrived.promise.then(() => held[0]?.end())
  const [reply] = (await once(socket, 'data')) as [Buffer]
  expect(reply.toString()).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
  expect(held).toHaveLength(status === 200 ? 1 : 0)
})

test.each([
  [128, 64],
  [1_024, 960],
  [20, 10],
  [1, 1],
  [Infinity, 10_000],
])('of %d files %d are for callers', (files, connections) => {
  expect(connectionsFor(files)).toBe(connections)
})
