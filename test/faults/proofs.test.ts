import { Redis } from 'ioredis'
import { eventually } from '../support/eventually'
import { RunningProcess } from '../support/processes'
import { type RedisServer, startRedis } from '../support/redis'
import { freeze, hits, kill, type Scene, stop, terminate } from './fault'
import { redisFaults } from './redis-faults'

const scene = {} as Scene
const started: RunningProcess[] = []

function run(command: string, ...args: string[]): RunningProcess {
  const process = new RunningProcess({ name: command, command, args })
  started.push(process)
  return process
}

afterEach(() => Promise.all(started.splice(0).map((process) => process.kill())))

const kind = { name: 'any', targets: [], lanes: () => [], holds: 0, takes: 0 }

test.each([
  ['kill -9', kill, 'ended by SIGKILL'],
  ['SIGSTOP', freeze, 'all its threads stand still'],
  ['SIGTERM', terminate, 'ended with exit code null'],
])('%s hits the process that is started in place of one that ended by itself', async (_, blow, words) => {
  let process = run('true')
  await process.exited
  const victim = {
    process: () => process,
    async mend() {
      process.resume()
      if (!process.running) process = run('sleep', '60')
    },
  }

  const struck = await hits({ ...kind, blow, victim: () => victim }).inject(scene)
  expect(await struck.proof()).toBe(words)
  await struck.heal()
  expect(process.running).toBe(true)
})

test('a process that does not end well is asked again, in its next life', async () => {
  const script = 'trap "exit 0" TERM; echo ready; while :; do sleep 0.1; done'
  let lives = 0
  const live = () => run('sh', '-c', ++lives === 1 ? script.replace('exit 0', 'exit 3') : script)
  let process = live()
  await process.waitForLine(/ready/)
  const victim = {
    process: () => process,
    async mend() {
      process = live()
      await process.waitForLine(/ready/)
    },
  }
  const struck = await hits({ ...kind, blow: stop, victim: () => victim }).inject(scene)
  expect(await struck.proof()).toBe('ended with exit code 0')
  expect(lives).toBe(2)
})

describe('on a Redis', () => {
  let redis: RedisServer
  let redisClient: Redis

  beforeAll(async () => {
    redis = await startRedis()
    redisClient = new Redis(redis.url)
  })

  afterAll(async () => {
    redisClient.disconnect()
    await redis.remove()
  })

  test('memory is full although less is in use than when the fault began', async () => {
    const full = redisFaults.find(({ name }) => name === 'Redis: maxmemory reached')
    const some = { ...scene, site: { redis, redisClient, prefix: 'test' } } as unknown as Scene
    await redisClient.set('ballast', 'x'.repeat(20 << 20))

    const struck = await full?.inject(some)
    await redisClient.del('ballast')
    expect(await eventually(() => struck?.proof(), Boolean)).toMatch(/^OOM/)
    await struck?.heal()
    expect(await redisClient.set('any', 'thing')).toBe('OK')
  })
})
