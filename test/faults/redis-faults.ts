import { appendFile, readdir, rm, statfs } from 'node:fs/promises'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beyondLease, freeze, hits, kill, type Kind, type Scene } from './fault'
import type { Site } from './site'

const run = promisify(execFile)

const where = { targets: ['redis'], lanes: () => ['redis'] }

const onRedis = {
  ...where,
  victim: ({ site }: Scene) => ({ process: () => site.redis.process, mend: () => runRedis(site) }),
}

async function runRedis({ redis }: Site): Promise<void> {
  redis.resume()
  if (!redis.process.running) await redis.start()
}

const away = (seconds: number): Kind =>
  hits({
    ...onRedis,
    name: `Redis: kill -9, away for ${seconds} s`,
    blow: kill,
    holds: seconds,
    takes: seconds + 1,
    ...(seconds > 5 && { longOnly: true as const }),
  })

/** What a power cut leaves: all that was synced, and after it a command of which only the beginning was written. */
const torn: Kind = {
  ...where,
  name: 'Redis: AOF torn after its last fsync',
  holds: 0,
  takes: 1,
  async inject({ site: { redis } }) {
    await redis.kill()
    const folder = join(redis.folder, 'appendonlydir')
    const last =
      (await readdir(folder))
        .filter((name) => name.endsWith('.incr.aof'))
        .sort(byNumber)
        .at(-1) ?? ''
    await appendFile(join(folder, last), '*3\r\n$3\r\nSET\r\n$9\r\nfaults:to')
    await redis.start()
    return {
      proof: () => redis.process.lines.find((line) => /truncat/i.test(line)),
      heal: async () => {},
    }
  },
}

/** `appendonly.aof.12.incr.aof` */
const byNumber = (one: string, other: string): number => Number(one.split('.')[2]) - Number(other.split('.')[2])

const fullMemory: Kind = {
  ...where,
  name: 'Redis: maxmemory reached',
  holds: 3,
  takes: 4,
  async inject(scene) {
    await fillMemory(scene)
    return {
      async proof() {
        const refused = await refusal(scene)
        // Buffers come and go: what is in use may have sunk below the limit.
        if (refused === undefined) await fillMemory(scene)
        return refused
      },
      heal: () => freeMemory(scene),
    }
  },
}

/** Nothing is written: there is less memory than is in use now. */
async function fillMemory({ site: { redisClient } }: Scene): Promise<void> {
  const info = await redisClient.info('memory')
  const used = Number(/used_memory:(\d+)/.exec(info)?.[1])
  await redisClient.config('SET', 'maxmemory', Math.round(used * 0.9))
}

/** Redis's own words where it writes nothing for want of memory. */
async function refusal({ site: { redisClient, prefix } }: Scene): Promise<string | undefined> {
  const probe = `${prefix}:faults-probe`
  const words = await redisClient.set(probe, '1').catch((error: Error) => error.message)
  await redisClient.del(probe)
  return words.startsWith('OOM') ? words : undefined
}

const freeMemory = async ({ site }: Pick<Scene, 'site'>): Promise<void> => {
  await site.redisClient.config('SET', 'maxmemory', 0)
}

/** With `appendfsync always` Redis ends when it cannot write: it has promised what it could not keep. */
const fullDisk: Kind = {
  ...where,
  name: 'Redis: disk of its AOF full',
  holds: 1,
  takes: 4,
  async inject(scene) {
    const { redis, redisClient, prefix } = scene.site
    const { process, folder } = redis
    await fill(folder)
    return {
      proof() {
        if (!process.running) return process.lines.find((line) => /AOF write error|No space left/.test(line))
        // Others may have nothing to write just now. Redis never answers the write that ends it.
        redisClient.set(`${prefix}:faults-probe`, 'x'.repeat(pageBytes), 'PX', 1_000).catch(() => undefined)
        return undefined
      },
      async heal() {
        await emptyDisk(scene)
        await process.kill()
        await redis.start()
      },
    }
  },
}

const filler = 'filler'

const pageBytes = 4096

/** Leaves a few pages, which the load fills soon. Redis may take the room in between: then there is less to be had. */
async function fill(folder: string, triesLeft = 5): Promise<void> {
  const { bavail, bsize } = await statfs(folder)
  const size = Math.max(1, bavail - 8) * bsize
  await run('fallocate', ['-l', String(size), join(folder, filler)]).catch((error: unknown) => {
    if (triesLeft === 0) throw error
    return fill(folder, triesLeft - 1)
  })
}

const emptyDisk = ({ site }: Pick<Scene, 'site'>): Promise<void> => rm(join(site.redis.folder, filler), { force: true })

/** Requests arrive and are carried out; the reply is cut off together with its connection. */
const repliesLost = (who: string, lanes: string[]): Kind => ({
  name: `network: replies of Redis to ${who} lost`,
  targets: [who],
  lanes: () => lanes,
  holds: 3,
  takes: 4,
  async inject({ site }) {
    const proxy = site.proxies.get(who)
    if (!proxy) throw new Error(`expected a proxy before ${who}, got none`)
    const before = proxy.cuts
    proxy.loseReplies(true)
    return {
      proof: () => (proxy.cuts > before ? `${proxy.cuts - before} replies cut off` : undefined),
      heal: async () => proxy.loseReplies(false),
    }
  },
})

export const redisFaults: Kind[] = [
  ...[1, 5, 20, 60].map(away),
  hits({ ...onRedis, name: 'Redis: frozen', blow: freeze, holds: beyondLease, takes: beyondLease }),
  torn,
  fullMemory,
  fullDisk,
  repliesLost('dock3', ['worker of dock3']),
  repliesLost('api2', ['api2']),
]

/** Redis as it should be, whatever was done to it. */
export async function mendRedis({ site }: Pick<Scene, 'site'>): Promise<void> {
  for (const proxy of site.proxies.values()) proxy.loseReplies(false)
  await emptyDisk({ site })
  await runRedis(site)
  await freeMemory({ site })
}
