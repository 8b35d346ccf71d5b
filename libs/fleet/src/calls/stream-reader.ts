import { setTimeout as wait } from 'node:timers/promises'
import { connectRedis, type RedisClient } from '../redis'

/** The names and values of an entry. */
export type Fields = readonly Buffer[]

/** With its id. */
type Entry = [Buffer, Buffer[]]

export const valuesOf = (fields: Fields): Buffer[] => fields.filter((_, n) => n % 2 === 1)

export interface StreamReaderOptions {
  url: string
  stream: string
  /** How long one blocking read lasts, in milliseconds. */
  blockMs: number
  /** Takes entries in their order; the next ones are read when it has. Must not throw. */
  onEntries: (entries: readonly Fields[]) => Promise<void> | void
  /** Where it says no nothing is read, and nothing taken away. */
  mayRead?: () => boolean
  onError: (error: Error) => void
}

export interface StreamReader {
  /** The stream was made anew: what it holds is read from its beginning. */
  restart(): void
  /** Stops reading and closes its connection. */
  close(): void
}

/** How many entries are read at a time: of the largest frames 8 MiB. */
const atOnce = 128

/** What was read is taken away when there is so much of it, in bytes, or nothing comes any more: each time is a write. */
const keptBytes = 256 * 1024

/** What an entry takes beside its values. */
const entryBytes = 128

/** After a read that failed, or was not allowed, the next one begins so much later, in milliseconds. */
const retryMs = 200

/** Redis has so much longer than a read may take: after that the connection is taken for dead. In milliseconds. */
const lateMs = 5_000

/** Reads a stream on a connection of its own, from its beginning on, and takes away what it has read. */
export function readStream(options: StreamReaderOptions): StreamReader {
  const { url, stream, blockMs, onEntries, mayRead, onError } = options
  const redis: RedisClient = connectRedis(url, 'patient')
  const closing = new AbortController()
  let lastId = '0-0'
  /** Of what was read and is still there, in bytes. */
  let kept = 0
  let late: NodeJS.Timeout | undefined
  redis.on('error', onError)

  const read = async (): Promise<void> => {
    const asked = redis.pipeline()
    const takesAway = lastId !== '0-0' && kept >= keptBytes
    if (takesAway) asked.xtrim(stream, 'MINID', next(lastId))
    asked.xreadBuffer('COUNT', atOnce, 'BLOCK', blockMs, 'STREAMS', stream, lastId)
    const from = lastId
    const replies = (await inTime(asked.exec())) ?? []
    for (const [error] of replies) if (error) throw error
    const found = replies.at(-1)?.[1] as [Buffer, Entry[]][] | null
    const entries = found?.[0]?.[1] ?? []
    if (takesAway) kept = 0
    kept += sizeOf(entries)
    // It is quiet: what is left goes with the next read.
    if (entries.length === 0 && kept > 0) kept = keptBytes
    const [id] = entries.at(-1) ?? []
    // Made anew while it was read: what was read is still told.
    if (id && lastId === from) lastId = id.toString()
    if (entries.length > 0 && !closing.signal.aborted) await onEntries(entries.map(([, fields]) => fields))
  }

  /** A connection that was cut without a word would be waited for until the machine's own patience ends. */
  const inTime = async <T>(answer: Promise<T>): Promise<T> => {
    late = setTimeout(() => {
      onError(new Error('expected Redis to end a blocking read, but it does not: connecting again'))
      redis.disconnect(true)
    }, blockMs + lateMs)
    try {
      return await answer
    } finally {
      clearTimeout(late)
    }
  }

  const loop = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      try {
        if (mayRead?.() === false) await pause()
        else await read()
      } catch (error) {
        if (closing.signal.aborted) return
        onError(error as Error)
        await pause()
      }
    }
  }
  const pause = () => wait(retryMs, undefined, { signal: closing.signal }).catch(() => undefined)
  void loop()

  return {
    restart() {
      lastId = '0-0'
    },
    close() {
      closing.abort()
      // Of a connection that is closed ioredis leaves the pending read pending for ever.
      clearTimeout(late)
      redis.disconnect()
    },
  }
}

/** The id behind it. */
function next(id: string): string {
  const [ms = '0', n = '0'] = id.split('-')
  return `${ms}-${BigInt(n) + 1n}`
}

const sizeOf = (entries: readonly Entry[]): number =>
  entries.reduce((sum, [, fields]) => fields.reduce((size, { length }) => size + length, sum + entryBytes), 0)
