import { watchStats } from '@deblox/actions/calls/kinds'
import { DebloxError } from '@deblox/actions/errors'
import { containerId, flag } from '@deblox/actions/schemas'
import type { JobError } from '@deblox/fleet/job'
import Joi from 'joi'
import type { Route } from '../route'
import { preferred } from '../streams/accepts'
import { collect } from '../streams/collect'
import { LineCutter, type Part } from '../streams/log-lines'
import { hostnameField, type Meant, type Opened, openFor, piecesOf, type StreamDesk, wholly } from '../streams/opened'
import { type Form, speak } from '../streams/speak'
import { formatEvent, sseHeaders, sseType } from '../streams/sse'

interface StatsForm extends Form {
  reading(json: string): string
}

/** The longest reading that is believed, in bytes: Docker's are of some thousand. */
const longest = 2 ** 20

const told = ({ code, status, message }: JobError) => ({ code, status, message })

const asLines: StatsForm = {
  headers: { 'Content-Type': 'application/x-ndjson', 'X-Accel-Buffering': 'no' },
  idle: '',
  reading: (json) => `${json}\n`,
  failed: (failure) => `${JSON.stringify({ error: told(failure) })}\n`,
  ended: () => '',
}

const asEvents: StatsForm = {
  headers: sseHeaders,
  idle: ':\n\n',
  reading: (json) => formatEvent({ data: JSON.parse(json) }),
  failed: (failure) => formatEvent({ event: 'error', data: told(failure) }),
  ended: () => formatEvent({ event: 'end', data: {} }),
}

/** What a container uses of its machine, in Docker's own words. */
export function statsRoute(desk: StreamDesk): Route {
  return {
    method: 'GET',
    path: '/v1/containers/:id/stats',
    permission: 'watch-stats',
    tag: 'containers',
    summary: 'Show what a container uses: once, or live as NDJSON or server-sent events, as `Accept` says',
    request: Joi.object({
      id: containerId.required(),
      ...hostnameField,
      live: flag.default(false).description('One reading a second, until the caller leaves'),
    }),
    answers: { 200: "Docker's reading, or readings" },
    async handle(fields, caller) {
      const { live, ...asked } = fields as unknown as Meant & { live: boolean }
      const opened = await openFor(desk, caller, watchStats, asked, { live })
      if (!live) return { status: 200, body: await wholly(one(opened)) }
      const isEvents = preferred(caller.header('accept'), ['application/x-ndjson', sseType]) === sseType
      const form = isEvents ? asEvents : asLines
      return {
        status: 200,
        headers: form.headers,
        stream: (out) =>
          speak(out, form, opened.signal, async (say) => {
            const cutter = new LineCutter(longest)
            for await (const { bytes } of piecesOf(opened)) {
              await say(
                cutter
                  .cut(bytes)
                  .filter(isWhole)
                  .map((line) => form.reading(line.bytes.toString()))
                  .join(''),
              )
            }
          }),
      }
    },
  }
}

const isWhole = ({ begins, ends, bytes }: Part): boolean => begins && ends && bytes.length > 0

async function one(opened: Opened): Promise<unknown> {
  const { bytes } = await collect(opened, longest)
  try {
    return JSON.parse(bytes[0].toString())
  } catch (error) {
    throw new DebloxError('docker_error', 'stats: expected a reading of JSON, got something else', { cause: error })
  }
}
