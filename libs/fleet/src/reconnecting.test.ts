import { setTimeout as pause } from 'node:timers/promises'
import { eventually } from '../../../test/support/eventually'
import { useFleet } from '../../../test/support/fleet-on-redis'
import { docksOf } from './docks'
import { times } from './names'
import { connectRedis, whenReady } from './redis'

const use = useFleet()
const count = 1_000

/** A worker as Redis sees it when it is idle: a connection of its own, and a heartbeat for its dock. */
class StubWorker {
  beats = 0
  lost = 0
  readonly redis = connectRedis(use.server().url, 'patient')
  private readonly docks = docksOf(this.redis, use.fleet().keys)
  private readonly stopping = new AbortController()

  constructor(readonly hostname: string) {
    this.redis.on('error', () => {})
  }

  async start(): Promise<void> {
    await whenReady(this.redis, 20_000)
    await this.docks.register(this.hostname)
    await this.docks.acquireLease(this.hostname, this.hostname)
    await this.beat()
    void this.goOn()
  }

  stop(): void {
    this.stopping.abort()
    this.redis.disconnect()
  }

  private async goOn(): Promise<void> {
    const { signal } = this.stopping
    // As the real one does.
    while (await pause(times.heartbeat, true, { signal }).catch(() => false)) await this.beat().catch(() => undefined)
  }

  private async beat(): Promise<void> {
    const { held } = await this.docks.heartbeat(this.hostname, this.hostname, 'ok')
    if (held) this.beats++
    else this.lost++
  }
}

test(`${count} workers that lose their Redis at one moment come back, and none of their docks is taken for dead`, async () => {
  const workers = Array.from({ length: count }, (_, n) => new StubWorker(`dock-${n}`))
  try {
    await Promise.all(workers.map((worker) => worker.start()))
    await use.server().kill()
    await use.server().start()
    const back = performance.now()
    const before = workers.map(({ beats }) => beats)
    const states = async (): Promise<string[]> => (await use.fleet().docks.list()).map(({ state }) => state)
    const away: string[] = []
    const look = async (): Promise<boolean> => {
      away.push(...(await states()).filter((state) => state !== 'ready'))
      // Longer than a lease lasts, so that one that nobody renews is seen to end.
      const areBack = workers.every(({ beats }, n) => beats >= (before[n] ?? 0) + 3)
      // What has been lost will not come back: that is told below, rather than that somebody was waited for in vain.
      return workers.some(({ lost }) => lost > 0) || (areBack && performance.now() - back > times.lease)
    }
    await eventually(look, undefined, { within: 30_000, every: 250 })
    expect(away).toEqual([])
    expect(workers.filter(({ lost }) => lost > 0)).toEqual([])
    expect(await states()).toHaveLength(count)
  } finally {
    for (const worker of workers) worker.stop()
  }
}, 60_000)
