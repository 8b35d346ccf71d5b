import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fleetKeys } from '@deblox/fleet/names'
import type { Redis } from 'ioredis'
import { Api } from '../support/api'
import { eventually } from '../support/eventually'
import { FakeDaemon } from '../support/fake-daemon'
import { freePort } from '../support/free-port'
import { type RedisWithUsers, startRedisWithUsers } from '../support/guarded-redis'
import { type Reply, send } from '../support/http'
import { type RunningProcess, startProgram } from '../support/processes'
import { runFolder } from '../support/run-folder'

const prefix = 'acl-test'
const hostnames = ['dock1', 'dock2', 'dock2.example.com']
const keys = fleetKeys(prefix)

let users: RedisWithUsers
let admin: Redis
let api: Api
let daemons: FakeDaemon[]
let state: string
const workers = new Map<string, RunningProcess>()
const started: RunningProcess[] = []

beforeAll(async () => {
  users = await startRedisWithUsers(prefix, hostnames)
  admin = users.admin
  daemons = await Promise.all(hostnames.map(() => FakeDaemon.start()))
  state = await mkdtemp(join(runFolder(), 'state-'))
  const env = { DEBLOX_PREFIX: prefix, AUTH: 'off', HOST: '127.0.0.1', DEBLOX_STATE_DIR: state, LOG_LEVEL: 'debug' }
  api = new Api('api', await freePort(), { ...env, REDIS_URL: users.urlOf() })
  started.push(api.process)
  await api.ready()
  for (const hostname of hostnames) await startWorker(hostname)
}, 60_000)

afterAll(async () => {
  await Promise.allSettled(started.map((process) => process.stop()))
  admin.disconnect()
  await Promise.all(daemons.map((daemon) => daemon.stop()))
  await rm(state, { recursive: true })
  await users.redis.remove()
}, 60_000)

async function startWorker(hostname: string): Promise<void> {
  const worker = startProgram('worker', {
    REDIS_URL: users.urlOf(hostname),
    DEBLOX_PREFIX: prefix,
    AUTH: 'off',
    DOCK_HOSTNAME: hostname,
    DOCKER_HOST: daemons[hostnames.indexOf(hostname)]?.dockerHost ?? '',
    DEBLOX_STATE_DIR: state,
    LOG_LEVEL: 'debug',
  })
  started.push(worker)
  workers.set(hostname, worker)
  await worker.waitForLine(/acts for this dock/, { within: 20_000 })
}

const ask = (method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply> =>
  send(`${api.url}${path}`, method, body, headers)

async function expectDone(status: number, ...request: Parameters<typeof ask>): Promise<Reply> {
  const reply = await ask(...request)
  expect({ request, status: reply.status, body: reply.body }).toMatchObject({ status })
  return reply
}

/** What Redis refused to whom since it was asked last. */
async function refusals(): Promise<string[]> {
  const log = (await admin.acl('LOG')) as (string | number)[][]
  await admin.acl('LOG', 'RESET')
  return log.map((entry) => entry.join(' '))
}

/** Neither does Redis tell of a refusal, nor any log. */
async function expectNothingRefused(): Promise<void> {
  expect(await refusals()).toEqual([])
  expect(started.flatMap(({ lines }) => lines).filter((line) => line.includes('NOPERM'))).toEqual([])
}

/** Only these were tried, and others did them instead: no job failed over it, and no log tells of it. */
async function expectRefusedOnly(begin: string): Promise<void> {
  expect((await refusals()).filter((line) => !line.includes(` object ${begin}`))).toEqual([])
  expect(started.flatMap(({ lines }) => lines).filter((line) => line.includes('NOPERM'))).toEqual([])
}

const later = { Prefer: 'respond-async' }

test('docks join, and all of them are ready', async () => {
  await eventually(async () => {
    const { body } = await ask('GET', '/v1/docks')
    expect(body.items).toEqual(hostnames.map((hostname) => expect.objectContaining({ hostname, state: 'ready' })))
  })
  await expectNothingRefused()
})

test('containers are made on any dock, on one, and on all, and live their lives', async () => {
  await expectDone(201, 'POST', '/v1/containers', { image: 'busybox', name: 'any' })
  await expectDone(201, 'POST', '/v1/containers', { image: 'busybox', name: 'here', hostname: 'dock1' })
  const all = await expectDone(
    201,
    'POST',
    '/v1/containers',
    { image: 'busybox', instances: 6 },
    { 'Idempotency-Key': 'all' },
  )
  expect(new Set((all.body.containers as { dock: string }[]).map(({ dock }) => dock))).toEqual(new Set(hostnames))
  await eventually(async () => expect((await ask('GET', '/v1/containers/here')).status).toBe(200))
  for (const verb of ['start', 'pause', 'unpause', 'restart', 'stop', 'kill']) {
    await expectDone(200, 'POST', `/v1/containers/here/${verb}`)
  }
  await expectDone(200, 'GET', '/v1/docks/dock2/images')
  await expectDone(200, 'GET', '/v1/images')
  await eventually(async () => expect((await ask('GET', '/v1/containers')).body.items).toHaveLength(8))
  await expectDone(200, 'DELETE', '/v1/containers/here?force=true')
  await expectNothingRefused()
}, 30_000)

test('templates, drains, cancels, retries and pages work', async () => {
  await expectDone(201, 'PUT', '/v1/templates/small', { image: 'busybox' })
  await expectDone(200, 'PATCH', '/v1/docks/dock1', { drain: true })
  await expectDone(201, 'POST', '/v1/containers', { template: 'small' })
  await expectDone(200, 'PATCH', '/v1/docks/dock1', { drain: false })
  const { body } = await ask('POST', '/v1/containers', { image: 'busybox', hostname: 'dock1' }, later)
  expect([200, 202, 409]).toContain((await ask('POST', `/v1/jobs/${body.job.id}/cancel`)).status)
  for (const path of ['/v1/jobs', '/metrics', '/jobs', '/jobs/api/queues?activeQueue=deblox.docker.dock1', '/readyz']) {
    await expectDone(200, 'GET', path)
  }
  await expectNothingRefused()
}, 30_000)

test('a job whose worker was killed runs again, and a dock that comes back takes its own', async () => {
  const worker = workers.get('dock2')
  await worker?.pause()
  const { body } = await ask('POST', '/v1/containers', { image: 'busybox', hostname: 'dock2' }, later)
  worker?.resume()
  await eventually(async () => expect((await ask('GET', `/v1/jobs/${body.job.id}`)).body.state).toBe('completed'))
  await worker?.stop()
  await expectNothingRefused()
}, 60_000)

test('when all docks have gone, a new one is registered all the same; one that is removed is forgotten', async () => {
  await Promise.all([...workers.values()].map((worker) => worker.stop()))
  await admin.flushall()
  await startWorker('dock1')
  await startWorker('dock2')
  await eventually(async () => {
    const { body } = await ask('GET', '/v1/docks')
    expect(body.items).toMatchObject([{ state: 'ready' }, { state: 'ready' }])
  })
  await workers.get('dock2')?.stop()
  await expectDone(204, 'DELETE', '/v1/docks/dock2')
  await eventually(async () => {
    expect((await ask('GET', '/v1/docks')).body.items).toMatchObject([{ hostname: 'dock1' }])
    expect(await admin.exists(keys.dock('dock2'), keys.containers('dock2'))).toBe(0)
  })
  // The dock that took `unregister` tried, and left it to the API.
  await expectRefusedOnly(keys.dock('dock2'))
}, 60_000)

test('a slot that is another dock’s gets there, although its taker may not write to that dock’s topic', async () => {
  await startWorker('dock2')
  await eventually(async () =>
    expect((await ask('GET', '/v1/docks')).body.items).toMatchObject([{}, { state: 'ready' }]),
  )
  // dock1 takes what comes to the cluster topic: dock2 takes nothing from there.
  await expectDone(200, 'PATCH', '/v1/docks/dock2', { drain: true })
  await eventually(async () => expect((await ask('GET', '/v1/docks/dock2')).body.state).toBe('drained'))
  const dock1 = workers.get('dock1')
  await dock1?.pause()
  const { body } = await ask('POST', '/v1/containers', { image: 'busybox', name: 'moved' }, { Prefer: 'respond-async' })
  await admin.hset(keys.placement(body.job.id, 1), 'hostname', 'dock2', 'epoch', '1')
  dock1?.resume()
  const look = async () => (await ask('GET', `/v1/jobs/${body.job.id}`)).body
  const job = await eventually(look, ({ state }) => state === 'completed', { within: 20_000 })
  expect(job).toMatchObject({ dock: 'dock2' })
  await expectRefusedOnly(`${prefix}:deblox.docker.dock2:`)
}, 60_000)
