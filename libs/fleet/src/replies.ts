import { setTimeout as wait } from 'node:timers/promises'
import type { SlotOutcome } from './job'
import { connectRedis, type RedisClient } from './redis'

export interface Reply {
  jobId: string
  action: string
  /** Milliseconds since 1970. */
  acceptedAt: number
  outcome: SlotOutcome
}

export interface ReplyReader {
  /** Stops reading and closes its connection. */
  close(): void
}

/** How long one blocking read lasts, in milliseconds. */
const blockMs = 5_000

/** After a read that failed the next one begins so much later, in milliseconds. */
const retryMs = 500

/**
 * Reads one replica's reply stream on a connection of its own, from its beginning on. `onGap` is called whenever replies may
 * have been missed (the connection was lost): look up what is still waited for.
 */
export function readReplies(
  url: string,
  stream: string,
  { onReply, onGap, onError }: { onReply: (reply: Reply) => void; onGap: () => void; onError: (error: Error) => void },
): ReplyReader {
  const redis: RedisClient = connectRedis(url, 'patient')
  const closing = new AbortController()
  let lastId = '0'
  redis.on('error', onError)
  redis.on('ready', onGap)

  const read = async (): Promise<void> => {
    const found = await redis.xread('COUNT', 500, 'BLOCK', blockMs, 'STREAMS', stream, lastId)
    for (const [, entries] of found ?? []) {
      for (const [id, fields] of entries) {
        lastId = id
        const [, jobId = '', , action = '', , accepted, , outcome = ''] = fields
        onReply({ jobId, action, acceptedAt: Number(accepted), outcome: JSON.parse(outcome) as SlotOutcome })
      }
    }
  }

  const loop = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      try {
        await read()
      } catch (error) {
        if (closing.signal.aborted) return
        onError(error as Error)
        // A Redis that is away keeps the next read waiting by itself; one that refuses it does so at once.
        await wait(retryMs, undefined, { signal: closing.signal }).catch(() => undefined)
      }
    }
  }
  void loop()

  return {
    close() {
      closing.abort()
      // Of a connection that is away ioredis leaves the pending read pending for ever: it is not waited for.
      redis.disconnect()
    },
  }
}
