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

test.each([
  [128, 64],
  [1_024, 960],
  [20, 10],
  [1, 1],
  [Infinity, 10_000],
])('of %d files %d are for callers', (files, connections) => {
  expect(connectionsFor(files)).toBe(connections)
})
