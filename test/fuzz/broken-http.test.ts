import { once } from 'node:events'
import type { Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { httpServer } from '../../apps/api/src/http-server'
import { Api } from '../support/api'
import { brokenRequests } from '../support/broken-http'
import { type Chance, withChance } from '../support/chance'
import { freePort } from '../support/free-port'
import { expectProblemBody, type Schema } from '../support/problem-schema'
import { type RedisServer, startRedis } from '../support/redis'

let redis: RedisServer
let api: Api
let pid: number
let schema: Schema

beforeAll(async () => {
  redis = await startRedis()
  api = new Api('api', await freePort(), { REDIS_URL: redis.url, DEBLOX_PREFIX: 'broken-http', AUTH: 'off' })
  await api.ready()
  pid = api.process.pid
  const document = (await (await fetch(`${api.url}/openapi.json`)).json()) as Document
  schema = document.components.schemas.Problem
}, 30_000)

afterEach(expectAlive)

afterAll(async () => {
  await api.process.stop()
  await redis.remove()
}, 30_000)

interface Document {
  components: { schemas: { Problem: Schema } }
}

test.each(brokenRequests.map((bytes) => ({ bytes, shown: JSON.stringify(bytes).slice(0, 90) })))(
  '$shown gets a problem, an answer, or a closed connection',
  async ({ bytes }) => expectSane(await exchange(api.port, bytes)),
)

test('2,000 requests with a byte changed, cut out, put in, or cut off are answered soundly', async () => {
  await withChance(async (chance) => {
    for (let n = 0; n < 100; n++) {
      const broken = Array.from({ length: 20 }, () => mutated(chance, chance.one(brokenRequests)))
      for (const reply of await Promise.all(broken.map((bytes) => exchange(api.port, bytes)))) expectSane(reply)
    }
  })
  expect((await fetch(`${api.url}/readyz`)).status).toBe(200)
}, 60_000)

test('a caller that sends a byte now and then is not waited for', async () => {
  const server: Server = httpServer((_, response) => response.end(), {
    headersTimeout: 200,
    requestTimeout: 300,
    connectionsCheckingInterval: 50,
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  for (const start of ['GET / HTTP/1.1\r\nHost: a\r\nX: ', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n']) {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.write(start)
    const drip = setInterval(() => socket.write('a'), 40)
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    await once(socket, 'close')
    clearInterval(drip)
    expect(Buffer.concat(chunks).toString()).not.toMatch(/^HTTP\/1\.1 5/)
  }
  server.close()
}, 10_000)

function expectAlive(): void {
  expect(api.process).toMatchObject({ running: true, pid })
}

function mutated(chance: Chance, bytes: string): Buffer {
  const buffer = Buffer.from(bytes.slice(0, 2_000))
  const at = chance.below(buffer.length)
  const byte = Buffer.from([chance.below(256)])
  if (chance.happens(0.25)) return buffer.subarray(0, at)
  const after = chance.one([at, at + 1])
  return Buffer.concat([buffer.subarray(0, at), chance.happens(0.6) ? byte : Buffer.alloc(0), buffer.subarray(after)])
}

/** Sends bytes, says that nothing follows, and returns all that comes back until the connection is closed. */
async function exchange(port: number, bytes: string | Buffer): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const chunks: Buffer[] = []
  socket.on('error', () => undefined)
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.on('end', () => socket.end())
  socket.end(bytes)
  await once(socket, 'close')
  return Buffer.concat(chunks).toString()
}

/** Of the answers on one connection none is a 5xx, and each refusal has a body as described. */
function expectSane(reply: string): void {
  const statuses = [...reply.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status))
  expect(statuses.filter((status) => status >= 500)).toEqual([])
  // The last one is the one that was broken; those before it were whole.
  const last = reply.slice(reply.lastIndexOf('HTTP/1.1 '))
  const status = statuses.at(-1)
  if (status === undefined || status < 400 || !/^content-length: [1-9]/im.test(last)) return
  const [headers = '', body = ''] = last.split('\r\n\r\n', 2)
  if (/^content-type: text\/html/im.test(headers)) throw new Error(`expected a problem, got ${headers}`)
  // An answer to HEAD has the length of a body, and none.
  if (body !== '') expectProblemBody(schema, status, JSON.parse(body))
}
