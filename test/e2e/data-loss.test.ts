import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { startFleet, type Fleet } from '../support/fleet'
import { eventually } from '../support/eventually'
import { startRedis, type RedisServer } from '../support/redis'
import { runFolder } from '../support/run-folder'
import { create, indexAgrees, listed, type Made } from './containers'
import { accepted, jobIn } from './jobs'

let redis: RedisServer
let state: string
let fleet: Fleet

beforeAll(async () => {
  redis = await startRedis()
  state = await mkdtemp(join(runFolder(), 'state-'))
  fleet = await startFleet({ redisUrl: redis.url, env: { DEBLOX_STATE_DIR: state } })
}, 60_000)

afterAll(async () => {
  await fleet.stop()
  await redis.remove()
  await rm(state, { recursive: true })
}, 60_000)

describe('when Redis has lost all its data', () => {
  let made: Made[]
  let earlier: string[]

  beforeAll(async () => {
    made = await Promise.all(['dock1', 'dock2', 'dock3'].map((hostname) => create(fleet, { hostname, start: true })))
    const done = await accepted(fleet, 'POST', '/v1/containers', { image: 'busybox', hostname: 'dock2', name: 'once' })
    await eventually(async () => (await listed(fleet)).some(({ name }) => name === 'once'))
    // One that has not been done: its dock takes nothing just then.
    await fleet.dock('dock1').worker.stop()
    const body = { image: 'busybox', hostname: 'dock1', name: 'never' }
    const waiting = jobIn(await fleet.request(fleet.api, 'POST', '/v1/containers', body, { Prefer: 'respond-async' }))
    earlier = [done, waiting]

    await redis.kill()
    for (const file of await readdir(redis.folder)) await rm(join(redis.folder, file), { recursive: true })
    await redis.start()
    fleet.dock('dock1').launch()
  }, 60_000)

  test('the docks register by themselves, and those that were up raise an alarm', async () => {
    await fleet.docksReady()
    const alarmed = ['dock2', 'dock3'].map((name) => fleet.dock(name).worker.lines.filter(isAlarm).length)
    expect(alarmed).toEqual([1, 1])
  }, 30_000)

  test('the index is made again from the docks', async () => {
    await indexAgrees(fleet, 10_000)
    const ids = (await listed(fleet)).map(({ id }) => id)
    expect(ids).toEqual(expect.arrayContaining(made.map(({ id }) => id)))
  }, 20_000)

  test('a new job works on every dock', async () => {
    const names = ['dock1', 'dock2', 'dock3']
    const docks = await Promise.all(names.map((hostname) => create(fleet, { hostname })))
    expect(docks.map(({ dock }) => dock)).toEqual(names)
    expect((await create(fleet)).dock).toMatch(/^dock[123]$/)
  })

  test('earlier jobs are not known, and are not run again', async () => {
    for (const id of earlier) {
      const { status, body } = await fleet.request(fleet.api, 'GET', `/v1/jobs/${id}`)
      expect({ status, body }).toMatchObject({ status: 404, body: { code: 'job_not_found' } })
    }
    const names = (await fleet.census()).map(({ name }) => name)
    expect(names.filter((name) => name === 'once')).toHaveLength(1)
    expect(names).not.toContain('never')
  })

  test('a dock that somebody unregisters afterwards stays so', async () => {
    expect((await fleet.request(fleet.api, 'DELETE', '/v1/docks/dock3')).status).toBeLessThan(300)
    // Heartbeats of its worker come and go meanwhile.
    const { worker } = fleet.dock('dock3')
    const beats = await seen('dock2')
    await eventually(async () => expect(await seen('dock2')).toBeGreaterThan(beats + 5_000))
    expect(worker.running).toBe(true)
    expect((await fleet.request(fleet.api, 'GET', '/v1/docks/dock3')).status).toBe(404)
    expect((await fleet.request(fleet.api, 'PUT', '/v1/docks/dock3', {})).status).toBeLessThan(300)
    await fleet.docksReady()
  }, 30_000)
})

test('a Redis that is merely restarted is not taken for another one', async () => {
  const alarms = () => fleet.docks.flatMap(({ worker }) => worker.lines.filter(isAlarm)).length
  const before = alarms()
  await redis.kill()
  await redis.start()
  await fleet.api.ready()
  await fleet.docksReady()
  await create(fleet)
  expect(alarms()).toBe(before)
}, 30_000)

const isAlarm = (line: string): boolean => line.includes('Redis has lost its data, or is another one')

/** When a dock's worker was last heard of. */
async function seen(hostname: string): Promise<number> {
  const { body } = await fleet.request(fleet.api, 'GET', `/v1/docks/${hostname}`)
  return Date.parse(body.lastSeen as string)
}
