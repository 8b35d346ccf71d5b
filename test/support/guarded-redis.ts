import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { freePort } from './free-port'
import { RunningProcess } from './processes'
import { repository } from './repository'
import { removeEmptyRunFolder, runFolder } from './run-folder'

const run = promisify(execFile)

/** A redis-server with users or TLS: what it takes for that is its caller's to say. */
export class GuardedRedis {
  private constructor(
    readonly port: number,
    readonly folder: string,
    readonly process: RunningProcess,
  ) {}

  /** `settings` gets the folder, where it may write files first, and the port. */
  static async start(settings: (folder: string, port: number) => Promise<string[]>): Promise<GuardedRedis> {
    const folder = await mkdtemp(join(runFolder(), 'redis-'))
    const port = await freePort()
    const durable = ['--appendonly', 'yes', '--maxmemory', '1gb', '--maxmemory-policy', 'noeviction', '--save', '']
    const process = new RunningProcess({
      name: `redis-server ${port}`,
      command: 'redis-server',
      cwd: folder,
      args: ['--bind', '127.0.0.1', '--dir', folder, ...durable, ...(await settings(folder, port))],
    })
    await process.waitForLine(/Ready to accept connections/)
    return new GuardedRedis(port, folder, process)
  }

  async remove(): Promise<void> {
    await this.process.kill()
    await rm(this.folder, { recursive: true, force: true })
    await removeEmptyRunFolder()
  }
}

/** A Redis with the users of a fleet as script/redis-acl prints them, and one more for the test. */
export interface RedisWithUsers {
  redis: GuardedRedis
  /** Connected as the test's own user, who may do all. */
  admin: Redis
  /** The REDIS_URL of the API, or of a dock's worker. */
  urlOf(dock?: string): string
}

export async function startRedisWithUsers(prefix: string, docks: string[]): Promise<RedisWithUsers> {
  const args = ['--default-off', '--prefix', prefix, ...docks]
  const { stdout, stderr } = await run(join(repository, 'script/redis-acl'), args)
  const credentials = [...stderr.matchAll(/^REDIS_URL=rediss:\/\/(.+)@HOST/gm)].map(([, of]) => String(of))
  const redis = await GuardedRedis.start(async (folder, port) => {
    const file = join(folder, 'users.acl')
    await writeFile(file, `${stdout}user test-admin on >admin ~* &* +@all\n`)
    return ['--port', String(port), '--aclfile', file]
  })
  return {
    redis,
    admin: new Redis({ port: redis.port, username: 'test-admin', password: 'admin' }),
    urlOf(dock) {
      const user = `${prefix}-${dock === undefined ? 'api' : `dock-${dock}`}:`
      return `redis://${credentials.find((one) => one.startsWith(user))}@127.0.0.1:${redis.port}`
    },
  }
}
