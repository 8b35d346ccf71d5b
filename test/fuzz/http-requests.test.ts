import { Agent, request as httpRequest } from 'node:http'
import { Api } from '../support/api'
import { withChance } from '../support/chance'
import { freePort } from '../support/free-port'
import { type Described, type Request, requestsFrom } from '../support/openapi-requests'
import { expectProblemBody, type Schema } from '../support/problem-schema'
import { type RedisServer, startRedis } from '../support/redis'

const count = 20_000
const atOnce = 24

let redis: RedisServer
let api: Api
let pid: number
let document: Described & { components: { schemas: { Problem: Schema } } }
const agent = new Agent({ keepAlive: true, maxSockets: atOnce })

beforeAll(async () => {
  redis = await startRedis()
  api = new Api('api', await freePort(), { REDIS_URL: redis.url, DEBLOX_PREFIX: 'http-requests', AUTH: 'off' })
  await api.ready()
  pid = api.process.pid
  document = (await (await fetch(`${api.url}/openapi.json`)).json()) as typeof document
}, 30_000)

afterAll(async () => {
  agent.destroy()
  await api.process.stop()
  await redis.remove()
}, 30_000)

test('20,000 requests made up from the OpenAPI document meet no failure of the API’s own', async () => {
  const seen = new Map<number, number>()
  await withChance(async (chance) => {
    const next = requestsFrom(document, chance)
    let left = count
    const lane = async (): Promise<void> => {
      while (left-- > 0) {
        const request = next()
        const { status, type, text } = await send(request)
        seen.set(status, (seen.get(status) ?? 0) + 1)
        expectSane(request, status, type, text)
      }
    }
    await Promise.all(Array.from({ length: atOnce }, lane))
  })
  expect(api.process).toMatchObject({ running: true, pid })
  // All of this is pointless unless requests of every kind got through.
  expect([...seen.keys()]).toEqual(expect.arrayContaining([200, 202, 400, 404, 405, 422]))
}, 120_000)

test('a value that is nearly right and very long is refused at once', async () => {
  const long = 500_000
  for (const body of [
    { image: 'busybox', cmd: `${'a'.repeat(long)}\u0000` },
    { image: 'busybox', cmd: `${' '.repeat(long)}\u0000` },
    { image: `${'a-'.repeat(long / 2)}!` },
    { image: 'busybox', ports: [`${'1'.repeat(long)}:`] },
    { image: 'busybox', memory: `${'1'.repeat(long)}x` },
  ]) {
    const began = performance.now()
    const { status } = await send({ method: 'POST', path: '/v1/containers', headers: {}, body: JSON.stringify(body) })
    expect(status).toBe(400)
    expect(performance.now() - began).toBeLessThan(2_000)
  }
}, 20_000)

function expectSane(request: Request, status: number, type: string, text: string): void {
  const shown = () => `${JSON.stringify(request).slice(0, 2_000)} was answered ${status} ${text.slice(0, 300)}`
  if (status >= 500 && status !== 503) throw new Error(shown())
  if (status < 400 || request.method === 'HEAD') return
  if (!type.startsWith('application/problem+json')) throw new Error(`not a problem: ${shown()}`)
  try {
    expectProblemBody(document.components.schemas.Problem, status, JSON.parse(text))
  } catch (error) {
    throw new Error(shown(), { cause: error })
  }
}

/** Past fetch, which would refuse or mend much of what is sent here. */
function send({ method, path, headers, body }: Request): Promise<{ status: number; type: string; text: string }> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }
    // Headers go as bytes: one that has other characters than Latin-1 cannot be sent at all.
    const request = httpRequest({
      port: api.port,
      host: '127.0.0.1',
      method,
      path: asBytes(path),
      headers: { ...headers, ...length },
      agent,
    })
    request.on('error', (error) =>
      reject(new Error(`${method} ${path.slice(0, 200)}: ${error.message}`, { cause: error })),
    )
    request.on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      const [status, type] = [response.statusCode ?? 0, response.headers['content-type'] ?? '']
      response.on('end', () => resolve({ status, type, text: Buffer.concat(chunks).toString() }))
      if (status !== 200 || !lasting.test(type)) return
      // It goes on for as long as somebody listens.
      resolve({ status, type, text: '' })
      response.destroy()
    })
    request.end(body)
  })
}

const lasting = /^(text\/event-stream|application\/x-ndjson|text\/plain)/

const asBytes = (path: string): string => path.replace(/[^\x21-\xff]/g, '_')
