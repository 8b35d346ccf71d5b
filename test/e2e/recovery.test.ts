import { eventually } from '../support/eventually'
import { type Fleet, startFleet } from '../support/fleet'
import { type RedisServer, startRedis } from '../support/redis'
import { create, type Made } from './containers'
import { accepted, ended, type Job, jobOf } from './jobs'

/** Ignores SIGTERM: a stop of it with a time-out lasts as long. */
const stubborn = { cmd: ['sh', '-c', 'trap "" TERM; while :; do sleep 1; done'], start: true }

let redis: RedisServer
let fleet: Fleet

beforeAll(async () => {
  redis = await startRedis()
  fleet = await startFleet({ docks: 2, redisUrl: redis.url })
}, 60_000)

afterAll(async () => {
  await fleet.stop()
  await redis.remove()
}, 60_000)

const report = (what: string, ms: number) => process.stdout.write(`recovery: ${what}: ${(ms / 1000).toFixed(1)} s\n`)
const state = async (id: string) => (await jobOf(fleet, id)).state
const isActive = (id: string) => eventually(async () => (await state(id)) === 'active', undefined, { within: 20_000 })

/** Waits until a job has been taken once more than before, and tells how long that took from `since`. */
async function takenAgain(id: string, since: number, attempts: number): Promise<number> {
  const again = ({ attempts: now, finishedAt }: Job) => now > attempts || finishedAt !== null
  await eventually(() => jobOf(fleet, id), again, { within: 30_000, every: 50, what: `job ${id} runs again` })
  return performance.now() - since
}

describe('the job of a killed worker', () => {
  test('runs again within 15 s where the worker is launched again at once', async () => {
    const made = await create(fleet, { hostname: 'dock1', ...stubborn })
    const id = await accepted(fleet, 'POST', `/v1/containers/${made.id}/stop`, { timeout: 60 })
    await isActive(id)
    const { worker } = fleet.dock('dock1')
    const killed = performance.now()
    await worker.kill()
    fleet.dock('dock1').launch()
    const ms = await takenAgain(id, killed, 1)
    report('a killed worker’s job, on its dock', ms)
    expect(ms).toBeLessThan(15_000)
    await fleet.dock('dock1').engine.docker.getContainer(made.id).kill()
    expect(await ended(fleet, id)).toMatchObject({ state: 'completed' })
    await fleet.docksReady()
  }, 60_000)

  test('from the cluster topic is run by another dock within 15 s', async () => {
    // Both hang in the pull of an image that is not there.
    const silent = 'require("net").createServer(() => {}).listen(5000, "127.0.0.1", () => console.log("hangs"))'
    const hung = fleet.docks.map(({ engine }) => engine.startInside(process.execPath, ['-e', silent]))
    await Promise.all(hung.map((one) => one.waitForLine(/hangs/)))
    const id = await accepted(fleet, 'POST', '/v1/containers', { image: 'not-there', name: 'moved' })
    await isActive(id)
    const first = (await jobOf(fleet, id)).slots[0]?.dock as string
    const other = fleet.docks.find(({ hostname }) => hostname !== first)
    const killed = performance.now()
    await fleet.dock(first).worker.kill()
    const moved = async () =>
      (await jobOf(fleet, id)).slots[0]?.dock === other?.hostname && (await state(id)) === 'active'
    await eventually(moved, undefined, { within: 30_000, every: 50, what: 'another dock works on it' })
    const ms = performance.now() - killed
    report('a killed worker’s job, from the cluster topic on another dock', ms)
    expect(ms).toBeLessThan(15_000)
    await fleet.request(fleet.api, 'POST', `/v1/jobs/${id}/cancel`)
    expect(await ended(fleet, id)).toMatchObject({ state: 'cancelled', slots: [{ dock: other?.hostname }] })
    await Promise.all(hung.map((one) => one.kill()))
    fleet.dock(first).launch()
    await fleet.docksReady()
    expect((await fleet.census()).filter(({ labels }) => labels['deblox.job'] === id)).toEqual([])
  }, 90_000)

  test('is shown as waiting for its dock within 20 s where that does not come back, and runs when it does', async () => {
    const made = await create(fleet, { hostname: 'dock1', ...stubborn })
    const id = await accepted(fleet, 'POST', `/v1/containers/${made.id}/stop`, { timeout: 2 })
    await isActive(id)
    const killed = performance.now()
    await fleet.dock('dock1').worker.kill()
    const waits = ({ state, error }: Job) => state === 'waiting' && error?.code === 'host_unreachable'
    await eventually(() => jobOf(fleet, id), waits, { within: 30_000, every: 50 })
    const ms = performance.now() - killed
    report('a dead dock’s job, shown as waiting', ms)
    expect(ms).toBeLessThan(20_000)
    fleet.dock('dock1').launch()
    expect(await ended(fleet, id, { within: 30_000 })).toMatchObject({ state: 'completed' })
    await fleet.docksReady()
  }, 90_000)
})

describe('after an outage of Redis', () => {
  let container: Made

  beforeAll(async () => {
    container = await create(fleet, { hostname: 'dock1' })
  }, 30_000)

  // Longer ones are part of the campaign of faults.
  test.each([1, 5, 20])(
    'of %d s the first job is done within 3 s',
    async (seconds) => {
      await redis.kill()
      const down = performance.now()
      await eventually(() => performance.now() - down >= seconds * 1_000, undefined, { within: 30_000 })
      await redis.start()
      const back = performance.now()
      await eventually(
        async () => {
          const path = `/v1/containers/${container.id}/stop`
          const { status } = await fleet.request(fleet.api, 'POST', path, { timeout: 0 }, { Prefer: 'wait=20' })
          return status === 200
        },
        undefined,
        { within: 30_000, what: 'a job is done' },
      )
      const ms = performance.now() - back
      report(`the first job after ${seconds} s without Redis`, ms)
      expect(ms).toBeLessThan(3_000)
      await fleet.docksReady()
    },
    90_000,
  )
})
