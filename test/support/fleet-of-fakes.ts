import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Fleet, openFleet } from '@deblox/fleet/fleet'
import { newJobId, type JobRecord } from '@deblox/fleet/job'
import { clusterTopic, dockTopic, fleetKeys } from '@deblox/fleet/names'
import { connectRedis, type RedisClient, whenReady } from '@deblox/fleet/redis'
import { publishKeys } from '@deblox/fleet/signing/publish'
import { trustIn } from '@deblox/fleet/signing/trust'
import { testKeys } from '../../libs/fleet/src/testing/keys'
import { eventually } from './eventually'
import { FakeDaemon } from './fake-daemon'
import { type RunningProcess, startProgram } from './processes'
import { type RedisServer, startRedis } from './redis'
import { stateFolder } from './run-folder'

const hostname = 'fake1'

/** A real worker on a real Redis, beside a daemon that is a stand-in: for what no real daemon or API ever sends. */
export class FleetOfFakes {
  private constructor(
    readonly server: RedisServer,
    readonly redis: RedisClient,
    readonly fleet: Fleet,
    readonly daemon: FakeDaemon,
    readonly worker: RunningProcess,
  ) {}

  static async start(prefix: string): Promise<FleetOfFakes> {
    const [server, daemon] = await Promise.all([startRedis(), FakeDaemon.start()])
    const redis = connectRedis(server.url, 'patient')
    redis.on('error', () => undefined)
    await whenReady(redis, 10_000)
    const env = {
      REDIS_URL: server.url,
      DEBLOX_PREFIX: prefix,
      DOCK_HOSTNAME: hostname,
      DOCKER_HOST: daemon.dockerHost,
      // Of its own: a worker believes the API that it has seen first.
      DEBLOX_STATE_DIR: join(stateFolder(), prefix),
    }
    await publishKeys(redis, fleetKeys(prefix).apiKeys, testKeys)
    const worker = startProgram('worker', env)
    await worker.waitForLine(/acts for this dock/, { within: 20_000 })
    return new FleetOfFakes(server, redis, openFleet(redis, prefix, undefined, trustIn(testKeys)), daemon, worker)
  }

  readonly hostname = hostname
  readonly topics = [clusterTopic, dockTopic(hostname)] as const

  /** Puts a job where the API would, and gives its id. */
  async accept(action: string, params: Record<string, unknown>, topic: string = dockTopic(hostname)): Promise<string> {
    const record = this.record(action, params, topic)
    await this.fleet.jobs.accept({ record })
    return record.id
  }

  record(action: string, params: Record<string, unknown>, topic: string = dockTopic(hostname)): JobRecord {
    return {
      id: newJobId(),
      action,
      params,
      actor: 'somebody',
      owner: 'somebody',
      replyTo: this.fleet.keys.replies('nobody'),
      numbered: false,
      acceptedAt: Date.now(),
      topics: [topic],
    }
  }

  /** Waits until a job has ended, and tells how. */
  async ended(id: string, within = 20_000) {
    const look = async () => {
      this.worker.assertRunning()
      return (await this.fleet.jobs.status(id)).slots[0]
    }
    const isOver = (slot: Awaited<ReturnType<typeof look>>) => slot?.state === 'completed' || slot?.state === 'failed'
    const slot = await eventually(look, isOver, { within, what: `job ${id} ends` })
    if (!slot || !('finishedAt' in slot)) throw new Error(`expected job ${id} to have ended`)
    return slot
  }

  /** Expects that a job sent now on each topic is done within seconds. */
  async expectGoodJobs(within = 5_000): Promise<void> {
    const ids = await Promise.all([
      this.accept('list-containers', {}, clusterTopic),
      this.accept('list-containers', {}),
      this.accept('register', { hostname }, clusterTopic),
    ])
    for (const id of ids) {
      const { state, error } = await this.ended(id, within)
      if (state !== 'completed') throw new Error(`expected a good job to be done, got ${JSON.stringify(error)}`)
    }
  }

  /** What the worker holds in memory, in MB (proc(5)): the most that it ever held, and what it holds now. */
  async memory(): Promise<{ peak: number; now: number }> {
    const status = await readFile(`/proc/${this.worker.pid}/status`, 'utf8')
    const read = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024
    return { peak: read('VmHWM'), now: read('VmRSS') }
  }

  async stop(): Promise<void> {
    const stopped = await Promise.allSettled([this.worker.stop(12_000)])
    await this.fleet.topics.close()
    this.redis.disconnect()
    await Promise.all([this.daemon.stop(), this.server.remove()])
    if (stopped[0].status === 'rejected') throw stopped[0].reason
  }
}
