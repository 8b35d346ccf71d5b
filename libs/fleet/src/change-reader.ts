import type { FleetKeys } from './names'
import { connectRedis, type RedisClient } from './redis'
import type { StreamEntry } from './state-reads'

/** How long one blocking read lasts, in milliseconds. */
const blockMs = 5_000

/** So many entries are read at once. */
const atOnce = 500

/** Waits for what comes after an entry of the stream of changes, on a connection of its own. */
export class ChangeReader {
  private readonly redis: RedisClient

  constructor(
    url: string,
    private readonly keys: Pick<FleetKeys, 'changes'>,
    onError: (error: Error) => void,
  ) {
    this.redis = connectRedis(url, 'patient')
    this.redis.on('error', onError)
  }

  /** The entries after that one, the first ones first: as soon as there are some, or none after a while. */
  async next(id: string): Promise<StreamEntry[]> {
    const found = await this.redis.xread('COUNT', atOnce, 'BLOCK', blockMs, 'STREAMS', this.keys.changes, id)
    return found?.[0]?.[1] ?? []
  }

  close(): void {
    this.redis.disconnect()
  }
}
