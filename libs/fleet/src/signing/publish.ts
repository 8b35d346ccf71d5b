import { setTimeout as wait } from 'node:timers/promises'
import type { Logger } from 'pino'
import { type RedisClient, runScript, script } from '../redis'
import { StartError } from '../start-error'
import type { ApiKeys } from './api-keys'
import {
  follow,
  isSame,
  isVouchedFor,
  type KeyDocument,
  type KnownDocument,
  readDocuments,
  writeDocuments,
} from './key-documents'
import { fingerprint } from './public-keys'

/** A Redis that has lost its data is told of the keys again after so long, in milliseconds. */
const publishAgainMs = 5_000

/** KEYS: published keys. ARGV: what was read there (empty for nothing), what is to be there. */
const replaceScript = script(`
  if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
  redis.call('SET', KEYS[1], ARGV[2])
  return 1`)

/**
 * Tells the workers which keys this API signs with. Throws in one line where other replicas sign with keys that this one
 * does not have, or with a later set of them. `key` is where they are published.
 */
export async function publishKeys(redis: RedisClient, key: string, own: ApiKeys): Promise<void> {
  for (;;) {
    const held = (await redis.get(key)) ?? ''
    const earlier = held === '' ? [] : documentsIn(key, held)
    const latest = earlier.at(-1)
    if (latest && isSame(latest.keys, own.set)) return
    if (latest && !comesBefore(latest, own)) throw others(latest, own)
    const text = writeDocuments(earlier, documentOf(own))
    if ((await runScript(redis, replaceScript, [key], [held, text])) === 1) return
  }
}

/** Publishes them again where Redis has lost them, until the signal aborts. */
export async function keepPublished(
  redis: RedisClient,
  key: string,
  own: ApiKeys,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await wait(publishAgainMs, undefined, { signal, ref: false }).catch(() => undefined)
    if (signal.aborted) return
    await publishLost(redis, key, own).catch((error: unknown) =>
      log.debug({ err: error }, 'the keys could not be published; trying again'),
    )
  }
}

async function publishLost(redis: RedisClient, key: string, own: ApiKeys): Promise<void> {
  if ((await redis.exists(key)) === 0) await publishKeys(redis, key, own)
}

/** An older set, of which this replica has a key that vouches for its own. */
const comesBefore = (latest: KnownDocument, own: ApiKeys): boolean => {
  const mine = { ...documentOf(own), keys: own.set }
  return isVouchedFor(latest, latest.keys) && isSame(follow(latest.keys, [mine]), own.set)
}

function documentOf(own: ApiKeys): KeyDocument {
  const set = JSON.stringify(own.set)
  return { set, signatures: own.signByAll(set, 'deblox-keys') }
}

const others = (latest: KnownDocument, own: ApiKeys): StartError =>
  new StartError(
    `DEBLOX_SIGNING_KEYS: expected the keys with which this fleet's API signs, ${fingerprint(latest.keys)} ` +
      `(version ${latest.keys.version}), got ${fingerprint(own.set)} (version ${own.set.version}): ` +
      'give this replica a copy of the file that the others have',
  )

function documentsIn(key: string, text: string): KnownDocument[] {
  try {
    return readDocuments(text)
  } catch (cause) {
    throw new StartError(`REDIS_URL: expected the API's public keys in ${key}, got something else`, { cause })
  }
}
