import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startFleet, type Fleet } from '../support/fleet'
import { eventually } from '../support/eventually'
import { freePort } from '../support/free-port'
import type { Reply } from '../support/http'
import { RedisServer, startRedis } from '../support/redis'
import { runFolder } from '../support/run-folder'
import { create, type Made } from './containers'
import { ended, jobIn } from './jobs'
import { expectRefused } from './replies'

const run = promisify(execFile)

let redis: RedisServer
let fleet: Fleet

const respondAsync = { Prefer: 'respond-async' }

/** Containers of which each can be stopped as often as one likes: it does not run. */
let boxes: Made[]
let asked = 0

const makeBoxes = async () => {
  boxes = await Promise.all(Array.from({ length: 10 }, () => create(fleet)))
}

/** A small job, which is done in a moment. */
const ask = (): Promise<Reply> => {
  const { id } = boxes[asked++ % boxes.length] as Made
  return fleet.request(fleet.api, 'POST', `/v1/containers/${id}/stop`, undefined, respondAsync)
}

async function expectAllDone(ids: string[]): Promise<void> {
  const jobs = await Promise.all(ids.map((id) => ended(fleet, id, { within: 60_000 })))
  expect(jobs.filter(({ state }) => state !== 'completed')).toEqual([])
}

describe('the memory of Redis', () => {
  const mega = 2 ** 20

  beforeAll(async () => {
    redis = await startRedis()
    const env = { DEBLOX_MAX_JOBS_PER_OWNER: '100000', DEBLOX_MAX_QUEUE_DEPTH: '100000' }
    fleet = await startFleet({ redisUrl: redis.url, docks: 1, env })
    await makeBoxes()
    // Beside this, what Redis's own buffers take and give back does not count.
    await fleet.redis.setrange(ballast(), 64 * mega, 'x')
  }, 60_000)

  afterAll(async () => {
    await fleet.stop()
    await redis.remove()
  }, 60_000)

  const ballast = () => `${fleet.prefix}:ballast`
  const usedMemory = async () => Number(/used_memory:(\d+)/.exec(await fleet.redis.info('memory'))?.[1])
  const setMost = (bytes: number) => fleet.redis.config('SET', 'maxmemory', Math.round(bytes))
  const setInUse = async (ratio: number) => setMost((await usedMemory()) / ratio)

  const spec = { image: 'busybox' }
  const small = () => ask()
  const several = () => fleet.request(fleet.api, 'POST', '/v1/containers', { ...spec, instances: 2 }, respondAsync)
  const large = () => {
    const env = { LARGE: 'x'.repeat(20_000) }
    return fleet.request(fleet.api, 'POST', '/v1/containers', { ...spec, env, name: 'large' }, respondAsync)
  }
  const template = () => fleet.request(fleet.api, 'PUT', '/v1/templates/test', spec)

  test('where little of it is left, jobs of many slots and large ones are refused, small ones are not', async () => {
    await setInUse(0.77)
    await eventually(async () => expectRefused(several(), 503, 'redis_full', /less than 70 %.*got \d\d %/))
    await expectRefused(large(), 503, 'redis_full')
    expect((await small()).status).toBe(202)
    expect((await template()).status).toBe(200)
  })

  test('where hardly any is left, nothing is taken that adds to it, and all else is answered', async () => {
    await setInUse(0.92)
    await eventually(async () => expectRefused(small(), 503, 'redis_full', /less than 85 %.*got \d\d %/))
    await expectRefused(template(), 503, 'redis_full')
    expect((await small()).headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
    for (const path of ['/v1/jobs', '/v1/docks', '/v1/containers', '/v1/templates', '/readyz']) {
      expect((await fleet.request(fleet.api, 'GET', path)).status).toBe(200)
    }
    const { body } = await fleet.request(fleet.api, 'GET', '/metrics')
    expect(body).toMatch(/^deblox_redis_memory_ratio 0\.9/m)
    expect(body).toMatch(/^deblox_refused_total\{limit="redis-memory"\} [1-9]/m)
    await setMost(1024 * mega)
    await eventually(async () => expect((await several()).status).toBe(202))
  })

  test('a flood is refused before Redis is full; what was accepted is done, and then there is room again', async () => {
    await fleet.redis.del(ballast())
    await setMost((await usedMemory()) + 8 * mega)
    // What the API has read of the memory before is good for a second.
    await eventually(async () => expect((await ask()).status).toBe(202))
    const { worker } = fleet.dock('dock1')
    await worker.pause()
    const replies: Reply[] = []
    const isOver = () => replies.some(({ status }) => status !== 202)
    const line = async () => {
      while (!isOver()) replies.push(await ask())
    }
    await Promise.all(Array.from({ length: 40 }, line))
    const refused = replies.filter(({ status }) => status !== 202)
    for (const reply of refused) await expectRefused(Promise.resolve(reply), 503, 'redis_full')
    expect(refused[0]?.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
    const ids = replies.filter(({ status }) => status === 202).map(jobIn)
    expect(ids.length).toBeGreaterThan(500)

    worker.resume()
    await eventually(async () => expect((await ask()).status).toBe(202), undefined, { within: 60_000, every: 200 })
    await expectAllDone(ids)
    expect(await fleet.redis.info('errorstats')).not.toMatch(/OOM/)
  }, 120_000)
})

describe('the disk of Redis', () => {
  let folder: string
  const filler = () => join(folder, 'filler')

  /** Takes all space that is left. */
  async function fill(): Promise<void> {
    await writeFile(filler(), Buffer.alloc(64 * 2 ** 20)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOSPC') throw error
    })
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(runFolder(), 'small-'))
    await run('mount', ['-t', 'tmpfs', '-o', 'size=32m', 'tmpfs', folder])
    const data = join(folder, 'data')
    await mkdir(data)
    redis = new RedisServer(await freePort(), data)
    await redis.start()
    fleet = await startFleet({ redisUrl: redis.url, docks: 1 })
    await makeBoxes()
  }, 60_000)

  afterAll(async () => {
    await fleet.stop()
    await redis.remove()
    await run('umount', [folder])
    await rm(folder, { recursive: true })
  }, 60_000)

  /** Asks until it is refused, and gives the ids of what was accepted. */
  async function untilRefused(detail: RegExp): Promise<string[]> {
    const ids: string[] = []
    const look = async (): Promise<boolean> => {
      const reply = await ask()
      if (reply.status === 202) ids.push(jobIn(reply))
      else await expectRefused(Promise.resolve(reply), 503, 'redis_unavailable', detail)
      return reply.status !== 202
    }
    await eventually(look, undefined, { within: 20_000, every: 1 })
    expect((await ask()).headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
    return ids
  }

  test('where it is full and Redis refuses to write, so does the API; it goes on by itself when there is room', async () => {
    // With `always` Redis ends when its disk is full: that is the next test.
    await fleet.redis.config('SET', 'appendfsync', 'everysec')
    await fill()
    const ids = await untilRefused(/got MISCONF/)
    await rm(filler())
    await eventually(async () => ids.push(jobIn(await ask())), undefined, { within: 20_000 })
    await expectAllDone(ids)
    await fleet.redis.config('SET', 'appendfsync', 'always')
  }, 120_000)

  test('where it is full and Redis ends over that, nothing that was accepted is lost when it is started again', async () => {
    await fill()
    const ids = await untilRefused(/got no answer/)
    await eventually(() => expect(redis.process.running).toBe(false))
    await rm(filler())
    await redis.start()
    await fleet.api.ready()
    await eventually(async () => ids.push(jobIn(await ask())), undefined, { within: 20_000 })
    await expectAllDone(ids)
  }, 120_000)
})
