import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto'

const macOf = (name: string, text: string, key: KeyObject): string =>
  createHmac('sha256', key).update(`${name}\0${text}`).digest('base64url')

/**
 * A text that is kept in Redis under a name, with a code by which the fleet's API replicas know it for their own: whoever
 * else can write to Redis cannot make one, nor put it under another name.
 */
export const withMac = (name: string, text: string, key: KeyObject): string => `${macOf(name, text, key)}.${text}`

/** The text, or undefined where the API has not written it, or not under that name. */
export function withoutMac(name: string, stored: string, key: KeyObject): string | undefined {
  const end = stored.indexOf('.')
  const text = stored.slice(end + 1)
  const [given, right] = [Buffer.from(stored.slice(0, Math.max(0, end))), Buffer.from(macOf(name, text, key))]
  return given.length === right.length && timingSafeEqual(given, right) ? text : undefined
}
