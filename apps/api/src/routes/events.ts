import { hostname, owner } from '@deblox/actions/schemas'
import { DebloxError } from '@deblox/actions/errors'
import { preview } from '@deblox/actions/explain'
import type { JobError } from '@deblox/fleet/job'
import Joi from 'joi'
import { type Access, requireUse } from '../access'
import type { FleetCopy } from '../live/fleet-copy'
import { passages } from '../live/passages'
import { eventOf, type Listener, toldKinds, type Wanted } from '../live/tell'
import type { Caller, Route } from '../route'
import type { Outgoing } from '../streams/outgoing'
import { whileAllowed } from '../streams/right'
import { type Say, speak } from '../streams/speak'
import { formatEvent, sseHeaders } from '../streams/sse'

const permission = 'GET /v1/events'

/** So often something is said where nothing happens, in milliseconds. */
const idleMs = 15_000

/** So often somebody is told where he stands while all that happens is not for him, in milliseconds. */
const placeMs = 5_000

/** A browser comes back after so long, in milliseconds. */
const retryMs = 1_000

/** So many characters are put together before they are sent. */
const sentAtOnce = 32_768

const several = (schema: Joi.Schema) => Joi.array().items(schema).single().min(1).max(100)

const eventId = /^\d{1,20}-\d{1,20}$/

/** As Redis has them: two numbers of 64 bits. */
const isEventId = (text: string): boolean =>
  eventId.test(text) && text.split('-').every((part) => BigInt(part) < 2n ** 64n)

const request = Joi.object({
  kind: several(Joi.string().valid(...toldKinds)).description('Only of these kinds'),
  dock: several(hostname).description('Only of what is on these docks'),
  owner: several(owner).description('Only of containers and jobs of these owners'),
  label: several(Joi.string().max(256)).description(
    'Only of containers that carry this label: `name` or `name=value`; all of them',
  ),
  lastEventId: Joi.string()
    .pattern(eventId)
    .messages({ 'string.pattern.base': 'expected the id of an event' })
    .description('Goes on after this event; the header `Last-Event-ID` goes before it'),
})

/** What happens in the fleet, as it happens: of each change those hear who would be shown it if they asked. */
export function eventsRoute(
  copy: FleetCopy,
  access: Pick<Access, 'view'>,
  pace: { idleMs?: number; rightMs?: number } = {},
): Route {
  return {
    method: 'GET',
    path: '/v1/events',
    tag: 'events',
    summary: 'Follow what happens to containers, docks and jobs, as server-sent events',
    request,
    answers: { 200: 'Server-sent events (text/event-stream), until somebody ends it' },
    async handle(query, caller) {
      const { lastEventId, ...wanted } = query as Wanted & { lastEventId?: string }
      const since = caller.header('last-event-id') || lastEventId
      if (since !== undefined && !isEventId(since)) {
        throw new DebloxError('invalid_request', `Last-Event-ID: expected the id of an event, got ${preview(since)}`)
      }
      const listener = { identity: caller.identity, view: await access.view(caller.identity) }
      await copy.settled()
      const from = since ?? copy.last
      return {
        status: 200,
        headers: sseHeaders,
        stream: (out) => tell(out, caller, listener, wanted, since === undefined, from),
      }
    },
  }

  async function tell(out: Outgoing, caller: Caller, listener: Listener, wanted: Wanted, isNew: boolean, from: string) {
    const now = { ...listener }
    const watch = async (identity: Listener['identity']): Promise<void> => {
      requireUse(identity, permission)
      now.view = await access.view(identity)
      now.identity = identity
    }
    const signal = whileAllowed(caller, watch, pace.rightMs)
    const rowNow = (dock: string, id: string) => copy.now?.row('container', dock, id)
    await speak(out, form, signal, async (say: Say) => {
      await say(`retry: ${retryMs}\n\n${isNew ? place(from) : ''}`)
      let placed = performance.now()
      for await (const { changes, last, gap } of passages(copy, from, signal, pace.idleMs ?? idleMs)) {
        let text = gap ? formatEvent({ id: last, event: 'gap', data: { at: new Date().toISOString() } }) : ''
        for (const change of changes) {
          const event = signal.aborted ? undefined : eventOf(change, now, wanted, rowNow)
          text += event ? formatEvent(event) : ''
          if (text.length < sentAtOnce) continue
          await say(text)
          text = ''
        }
        // Also where nothing was for him: he need not go through it again when he comes back.
        const isDue = changes.length === 0 || performance.now() - placed > placeMs
        if (isDue) placed = performance.now()
        await say(text + (isDue ? place(last) : ''))
      }
      throw signal.reason
    })
  }
}

/** `idle`: whoever hears nothing is told where he stands, and that is enough. */
const form = {
  idle: '',
  ended: () => '',
  failed: ({ code, status, message }: JobError) => formatEvent({ event: 'error', data: { code, status, message } }),
}

/** An event without data is none, but where it stands is kept for the next time (HTML standard, 9.2.6). */
const place = (id: string): string => `id: ${id}\n\n`
