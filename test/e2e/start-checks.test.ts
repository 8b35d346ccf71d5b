import { Redis } from 'ioredis'
import { eventually } from '../support/eventually'
import { freePort } from '../support/free-port'
import { send } from '../support/http'
import { RunningProcess } from '../support/processes'
import { startRedis, type RedisServer } from '../support/redis'
import { newToken } from '@deblox/fleet/token-text'
import { stateFolder } from '../support/run-folder'

const { token } = newToken()

let redis: RedisServer
let client: Redis

beforeAll(async () => {
  redis = await startRedis()
  client = new Redis(redis.url)
  await client.config('SET', 'maxmemory', '1gb')
})

afterAll(async () => {
  client.disconnect()
  await redis.remove()
})

const started: RunningProcess[] = []

afterEach(async () => {
  for (const api of started.splice(0)) {
    // Also where another command has started it, which does not pass signals on.
    process.kill(-api.pid, 'SIGTERM')
    await api.exited
  }
})

interface Started {
  /** What it warned about at its start. */
  warnings: string[]
  /** What it says of itself when it is asked. */
  ready: () => Promise<{ status: number; body: { warnings?: string[]; detail?: string } }>
}

/** Starts an API, by way of another command where one is given. */
async function startApi(by: string[] = []): Promise<Started> {
  const port = await freePort()
  const [command, ...args] = [...by, process.execPath, 'apps/api/dist/main.js']
  const env = { REDIS_URL: redis.url, PORT: String(port), DEBLOX_STATE_DIR: stateFolder(), DEBLOX_ADMIN_TOKEN: token }
  const api = new RunningProcess({ name: 'api', command, args, env })
  started.push(api)
  await api.waitForLine(/"listening"/, { within: 20_000 })
  const lines = api.lines.map((line) => JSON.parse(line) as { level: number; msg: string })
  return {
    warnings: lines.filter(({ level }) => level === 40).map(({ msg }) => msg),
    ready: () => send(`http://127.0.0.1:${port}/readyz`, 'GET'),
  }
}

test('a Redis as it should be is not warned about', async () => {
  const { warnings, ready } = await startApi()
  expect(warnings).toEqual([])
  expect((await ready()).body).toEqual({ status: 'ready', warnings: [] })
}, 30_000)

test('a clock that differs from Redis’s is warned about in one line, and /readyz says so', async () => {
  const { warnings, ready } = await startApi(['faketime', '-f', '+600s'])
  expect(warnings).toEqual([
    expect.stringMatching(
      /^REDIS_URL: clock: expected Redis's within 5 s of this machine's, got one that is (599|600|601) s behind$/,
    ),
  ])
  expect((await ready()).body).toEqual({ status: 'ready', warnings: [expect.stringContaining('clock')] })
}, 30_000)

test('a Redis without a bound of its memory is warned about in one line', async () => {
  await client.config('SET', 'maxmemory', '0')
  const { warnings } = await startApi()
  expect(warnings).toEqual([expect.stringMatching(/^REDIS_URL: maxmemory: expected a bound .*, got 0$/)])
  await client.config('SET', 'maxmemory', '1gb')
}, 30_000)

test('a policy that is made wrong later is told by /readyz, until it is put right', async () => {
  const { ready } = await startApi()
  await client.config('SET', 'maxmemory-policy', 'allkeys-lru')
  const { status, body } = await ready()
  expect({ status, detail: body.detail }).toEqual({
    status: 503,
    detail: expect.stringContaining('maxmemory-policy: expected noeviction'),
  })
  await client.config('SET', 'maxmemory-policy', 'noeviction')
  await eventually(async () => expect((await ready()).status).toBe(200))
}, 30_000)
