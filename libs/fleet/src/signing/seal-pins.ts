import type { KeyObject } from 'node:crypto'
import { DebloxError } from '@deblox/actions/errors'
import { withMac, withoutMac } from '../maced'
import { type RedisClient, runScript, script } from '../redis'
import { thumbprint } from './public-keys'
import { type SealKey, sealKey } from './seal'

/** Where the API keeps which key a dock had when it was first seen, and where the dock tells it. */
export interface SealPinKeys {
  /** Hash of what is known of a dock; its field `seal` is the key that the dock tells. */
  dock(hostname: string): string
  /** String: a pin, with the MAC by which this API knows that it wrote it. */
  sealPin(hostname: string): string
}

/** Which key a dock had (none where it was unregistered since), and when that was written, in milliseconds since 1970. */
interface Pin {
  key: string | null
  at: number
}

/** KEYS: pin. ARGV: what was read there (empty for nothing), what is to be there. */
const replaceScript = script(`
  if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
  redis.call('SET', KEYS[1], ARGV[2])
  return 1`)

/** To whom secrets are sealed: each dock's key as it was first seen. `now`: Redis's time, in milliseconds since 1970. */
export function sealPinsOf(redis: RedisClient, keys: SealPinKeys, macKey: KeyObject, now: () => number) {
  /** What this process has seen: that Redis has forgotten it, or has an older one, changes nothing. */
  const seen = new Map<string, Pin>()

  /** The latest pin, and the text that Redis has of one. */
  const latest = async (hostname: string): Promise<{ pin: Pin | undefined; held: string }> => {
    const held = (await redis.get(keys.sealPin(hostname))) ?? ''
    const text = held === '' ? undefined : withoutMac(hostname, held, macKey)
    if (held !== '' && text === undefined) throw changed(hostname, 'a record of it that this API has not written')
    const stored = text === undefined ? undefined : (JSON.parse(text) as Pin)
    const known = seen.get(hostname)
    return { pin: known && (stored?.at ?? 0) <= known.at ? known : stored, held }
  }

  const write = async (hostname: string, held: string, pin: Pin): Promise<boolean> => {
    const text = withMac(hostname, JSON.stringify(pin), macKey)
    if ((await runScript(redis, replaceScript, [keys.sealPin(hostname)], [held, text])) !== 1) return false
    seen.set(hostname, pin)
    return true
  }

  return {
    /**
     * The key to which secrets for this dock are sealed. Throws `no_dock_ready` where it has told none yet, `dock_replaced`
     * where it is not the one that it had when it was first seen.
     */
    async keyOf(hostname: string): Promise<SealKey> {
      const told = await redis.hget(keys.dock(hostname), 'seal')
      if (told === null) throw noKey(hostname)
      const key = parse(hostname, told)
      for (;;) {
        const { pin, held } = await latest(hostname)
        if (pin && pin.key !== null) {
          if (pin.key !== key.kid) throw changed(hostname, key.kid, pin.key)
          seen.set(hostname, pin)
          return key
        }
        if (await write(hostname, held, { key: key.kid, at: Math.max(now(), (pin?.at ?? 0) + 1) })) return key
      }
    },

    /** Believes the next key that the dock tells: to be called when it is unregistered. */
    async forget(hostname: string): Promise<void> {
      for (;;) {
        const { pin, held } = await latest(hostname)
        if (!pin || (await write(hostname, held, { key: null, at: Math.max(now(), pin.at + 1) }))) return
      }
    },
  }
}

export type SealPins = ReturnType<typeof sealPinsOf>

function parse(hostname: string, told: string): SealKey {
  try {
    const { value, error } = sealKey.validate(JSON.parse(told))
    if (error) throw new Error('not a key')
    const { kty, crv, x } = value
    return { kty, crv, x, kid: thumbprint({ kty, crv, x }) }
  } catch {
    throw changed(hostname, 'something else than a key')
  }
}

const noKey = (hostname: string): DebloxError =>
  new DebloxError('no_dock_ready', `secrets: expected ${hostname} to have told the key for its secrets, but it has not`)

const changed = (hostname: string, got: string, known?: string): DebloxError =>
  new DebloxError(
    'dock_replaced',
    `secrets: expected ${hostname} to have ${known ? `the key ${known}` : 'a key'} for its secrets, got ${got}; ` +
      'unregister it if that is right',
  )
