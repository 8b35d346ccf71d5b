import { Redis } from 'ioredis'
import { startFleet, type Fleet } from '../support/fleet'
import { eventually } from '../support/eventually'
import { freePort } from '../support/free-port'
import { startProgram } from '../support/processes'
import { startRedis, type RedisServer } from '../support/redis'
import { create, indexAgrees, listed } from './containers'
import { accepted, ended, type Job } from './jobs'

const id = 'a'.repeat(64)
const job = '01900000-0000-7000-8000-000000000000'

/** One valid request for every route that needs Redis. */
const requests: [string, string, object?][] = [
  ['POST /', '/', { action: 'list-images' }],
  ['GET /v1/containers', '/v1/containers'],
  ['POST /v1/containers', '/v1/containers', { image: 'busybox', instances: 2 }],
  ['POST /v1/containers/raw', '/v1/containers/raw', { body: { Image: 'busybox' } }],
  ['GET /v1/containers/{id}', `/v1/containers/${id}`],
  ['DELETE /v1/containers/{id}', `/v1/containers/${id}`],
  ...['kill', 'pause', 'restart', 'start', 'stop', 'unpause'].map((what): [string, string] => [
    `POST /v1/containers/{id}/${what}`,
    `/v1/containers/${id}/${what}`,
  ]),
  ['POST /v1/containers/{id}/rename', `/v1/containers/${id}/rename`, { name: 'other' }],
  ['POST /v1/containers/{id}/update', `/v1/containers/${id}/update`, { cpus: 1 }],
  ['POST /v1/containers/{id}/transfer', `/v1/containers/${id}/transfer`, { owner: 'anna' }],
  ...['changes', 'export', 'logs', 'stats', 'top', 'wait'].map((what): [string, string] => [
    `GET /v1/containers/{id}/${what}`,
    `/v1/containers/${id}/${what}`,
  ]),
  ['GET /v1/containers/{id}/archive', `/v1/containers/${id}/archive?path=/etc`],
  ['PUT /v1/containers/{id}/archive', `/v1/containers/${id}/archive?path=/etc`],
  ['POST /v1/containers/{id}/exec', `/v1/containers/${id}/exec`, { cmd: ['true'] }],
  ['GET /v1/logs', '/v1/logs?template=test'],
  ['GET /v1/events', '/v1/events'],
  ...['images', 'networks', 'volumes'].map((what): [string, string] => [`GET /v1/${what}`, `/v1/${what}`]),
  ['GET /v1/docks', '/v1/docks'],
  ['GET /v1/docks/{hostname}', '/v1/docks/dock1'],
  ['PUT /v1/docks/{hostname}', '/v1/docks/dock1', {}],
  ['PATCH /v1/docks/{hostname}', '/v1/docks/dock1', { drain: false }],
  // Not one of the docks: what a frozen Redis was asked may be done once it goes on.
  ['DELETE /v1/docks/{hostname}', '/v1/docks/elsewhere'],
  ['GET /v1/docks/{hostname}/containers', '/v1/docks/dock1/containers'],
  ['GET /v1/docks/{hostname}/images', '/v1/docks/dock1/images'],
  ['POST /v1/docks/{hostname}/images', '/v1/docks/dock1/images', { image: 'busybox' }],
  ['DELETE /v1/docks/{hostname}/images/{image}', '/v1/docks/dock1/images/busybox'],
  ['GET /v1/templates', '/v1/templates'],
  ['GET /v1/templates/{name}', '/v1/templates/test'],
  ['PUT /v1/templates/{name}', '/v1/templates/other', { image: 'busybox' }],
  ['DELETE /v1/templates/{name}', '/v1/templates/other'],
  ['GET /v1/jobs', '/v1/jobs'],
  ['GET /v1/jobs/{id}', `/v1/jobs/${job}`],
  ['GET /v1/jobs/{id}/events', `/v1/jobs/${job}/events`],
  ['POST /v1/jobs/{id}/cancel', `/v1/jobs/${job}/cancel`],
  ['POST /v1/jobs/{id}/retry', `/v1/jobs/${job}/retry`],
  ['GET /v1/tokens', '/v1/tokens'],
  ['POST /v1/tokens', '/v1/tokens', { subject: 'anna', role: 'viewer' }],
  ['DELETE /v1/tokens/{id}', '/v1/tokens/0123456789abcdef'],
  ['GET /v1/grants', '/v1/grants'],
  ['POST /v1/grants', '/v1/grants', { to: 'ben', may: ['stop-container'], on: { owner: 'anna' } }],
  ['DELETE /v1/grants/{id}', `/v1/grants/${job}`],
  ['GET /v1/owners/{owner}', '/v1/owners/anna'],
  ['PUT /v1/owners/{owner}', '/v1/owners/anna', { rules: { profile: 'restricted' } }],
  ['GET /v1/audit', '/v1/audit'],
  ['GET /readyz', '/readyz'],
  ['GET /metrics', '/metrics'],
]

const all = requests.map(([route, path, body]) => ({ route, path, body }))

let redis: RedisServer
let fleet: Fleet

beforeAll(async () => {
  redis = await startRedis()
  fleet = await startFleet({ redisUrl: redis.url, auth: true })
}, 60_000)

afterAll(async () => {
  await fleet.stop()
  await redis.remove()
}, 60_000)

test('these requests are all that there are, but for those that need no Redis', async () => {
  const { body } = await fleet.request(fleet.api, 'GET', '/openapi.json')
  const routes = Object.entries(body.paths as Record<string, object>).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  )
  // Without a WebSocket the last two are refused before anything is looked up.
  const sockets = ['exec', 'attach'].map((what) => `GET /v1/containers/{id}/${what}`)
  const alone = ['GET /healthz', 'GET /v1/me', ...sockets]
  expect(requests.map(([route]) => route).sort()).toEqual(routes.filter((route) => !alone.includes(route)).sort())
})

describe('while Redis is dead', () => {
  beforeAll(() => redis.kill())

  test.each(all)('$route answers 503 with Retry-After within a second', async (request) => {
    expect(await expectUnavailable(request)).toBeLessThan(1_000)
  })

  test('the process is alive, describes itself, and refuses bad input as ever', expectAlive)

  test('all goes on by itself when Redis is back', async () => {
    await redis.start()
    await expectGoingOn()
  }, 40_000)

  test('nothing of what was refused is done afterwards', async () => {
    expect(await fleet.census()).toEqual([])
    expect(await fleet.redis.smembers(`${fleet.prefix}:docks`)).toHaveLength(3)
    const { body } = await fleet.request(fleet.api, 'GET', '/v1/jobs')
    const asked = (body.items as Job[]).filter(({ actor }) => actor === 'admin')
    // Those of the test before.
    expect(asked.map(({ action }) => action)).toEqual(['delete-container', 'create-container'])
  })
})

describe('while Redis is frozen', () => {
  beforeAll(() => redis.pause())

  test('every route answers 503 with Retry-After within a second', async () => {
    const times = (await Promise.all(all.map(expectUnavailable))).sort((one, other) => one - other)
    expect(times[times.length >> 1]).toBeLessThan(1_000)
    // They are all asked at once, and a machine that tests run on has more to do.
    expect(times.at(-1)).toBeLessThan(1_500)
  })

  test('the process is alive, describes itself, and refuses bad input as ever', expectAlive)

  test('all goes on by itself when Redis is back', async () => {
    redis.resume()
    await expectGoingOn()
  }, 40_000)
})

test('accepted jobs survive a kill -9 of Redis, and each is done once', async () => {
  const names = Array.from({ length: 40 }, (_, n) => `kept-${n}`)
  const body = (name: string) => ({ image: 'busybox', name })
  const ids = await Promise.all(names.map((name) => accepted(fleet, 'POST', '/v1/containers', body(name))))

  await redis.kill()
  await redis.start()

  await fleet.api.ready()
  const jobs = await Promise.all(ids.map((one) => ended(fleet, one, { within: 40_000 })))
  expect(jobs.map(({ state, error }) => error ?? state)).toEqual(names.map(() => 'completed'))
  // What was asked of the frozen Redis without an answer may have been done, as nobody can know.
  const kept = (await fleet.census()).map(({ name }) => name).filter((name) => name.startsWith('kept-'))
  expect(kept.sort()).toEqual([...names].sort())
}, 60_000)

test('a request that waits while Redis is killed and comes back is answered with its job’s outcome', async () => {
  const slow = { cmd: ['sh', '-c', "trap '' TERM; while :; do sleep 1; done"], start: true }
  const container = await create(fleet, slow)
  const stop = fleet.request(fleet.api, 'POST', `/v1/containers/${container.id}/stop`, { timeout: 3 })
  const newest = async () => (await fleet.request(fleet.api, 'GET', '/v1/jobs?limit=1')).body.items[0].state as string
  await eventually(newest, (state) => state === 'active')

  await redis.kill()
  await redis.start()

  expect(await stop).toMatchObject({ status: 200, body: { job: { state: 'completed' } } })
}, 40_000)

describe('at start', () => {
  let other: RedisServer

  beforeAll(async () => {
    other = await startRedis()
    const client = new Redis(other.url)
    await client.config('SET', 'maxmemory-policy', 'allkeys-lru', 'appendonly', 'no')
    client.disconnect()
  }, 20_000)

  afterAll(() => other.remove())

  test.each(['api', 'worker'] as const)(
    'the %s refuses a Redis that may lose jobs, in one line',
    async (program) => {
      const { docks } = fleet
      const env = {
        REDIS_URL: other.url,
        PORT: String(await freePort()),
        DOCKER_HOST: docks[0]?.engine.dockerHost ?? '',
      }
      const process = startProgram(program, { ...env, DOCK_HOSTNAME: 'dock9' })

      expect(await process.exited).toEqual({ code: 1, signal: null })
      expect(process.lines.filter((line) => !line.startsWith('{'))).toEqual([
        `deblox ${program}: REDIS_URL: maxmemory-policy: expected noeviction (any other deletes accepted jobs), got allkeys-lru`,
      ])
    },
    20_000,
  )

  test('a Redis without an append-only file is warned about in one line', async () => {
    const client = new Redis(other.url)
    await client.config('SET', 'maxmemory-policy', 'noeviction')
    client.disconnect()
    const process = startProgram('api', { REDIS_URL: other.url, PORT: String(await freePort()) })

    await process.waitForLine(/listening/)
    expect(process.lines.filter((line) => /appendonly: expected yes/.test(line))).toHaveLength(1)
    expect((await process.stop()).code).toBe(0)
  }, 20_000)
})

/** Sends a request that must be answered with 503, and tells how long that took, in milliseconds. */
async function expectUnavailable({ route, path, body }: (typeof all)[number]): Promise<number> {
  const began = performance.now()
  const [method = ''] = route.split(' ')
  const reply = await fleet.request(fleet.api, method, path, body)
  const ms = performance.now() - began

  expect({ route, status: reply.status, body: reply.body }).toMatchObject({
    status: 503,
    body: { code: 'redis_unavailable', status: 503, detail: expect.stringMatching(/^expected Redis to answer, got/) },
  })
  expect(reply.headers.get('retry-after')).toBe('1')
  expect(reply.headers.get('content-type')).toContain('application/problem+json')
  return ms
}

async function expectAlive(): Promise<void> {
  expect((await fleet.request(fleet.api, 'GET', '/healthz')).status).toBe(200)
  expect((await fleet.request(fleet.api, 'GET', '/openapi.json')).status).toBe(200)
  expect((await fleet.request(fleet.api, 'POST', '/v1/containers', { image: 3 })).status).toBe(400)
}

async function expectGoingOn(): Promise<void> {
  await fleet.api.ready()
  await fleet.docksReady()
  const container = await create(fleet, { start: true })
  await indexAgrees(fleet, 5_000)
  expect((await listed(fleet)).map((row) => row.id)).toContain(container.id)
  expect((await fleet.request(fleet.api, 'DELETE', `/v1/containers/${container.id}?force=true`)).status).toBe(200)
}
