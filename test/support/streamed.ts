import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import type { Answering } from '@deblox/fleet/calls/call'
import { eventually } from './eventually'

/** A time as Docker gives it, the n-th of its second. */
export const time = (n: number): string => `2026-11-23T07:30:00.${String(n).padStart(9, '0')}Z`

/** A dock that sends these: each piece by its channel, as text or bytes. */
export const sends =
  (...pieces: [0 | 1 | 2, string | Buffer][]) =>
  async (call: Answering) => {
    await call.begin()
    for (const [channel, bytes] of pieces) await call.send(channel, Buffer.from(bytes))
    return {}
  }

/** The documents of an NDJSON answer. */
export const documents = <T = unknown>(body: string): T[] =>
  body
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T)

/** A caller who takes nothing unless told. */
export async function open(url: string, headers: Record<string, string> = {}): Promise<IncomingMessage> {
  const sent = get(url, { headers })
  sent.on('error', () => undefined)
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  response.on('error', () => undefined)
  return response
}

/** Waits until it is above 0 and does not change any more between two looks. */
export async function steady(look: () => number): Promise<void> {
  let before = -1
  await eventually(
    look,
    (now) => {
      const isStill = now > 0 && now === before
      before = now
      return isStill
    },
    { every: 300 },
  )
}
