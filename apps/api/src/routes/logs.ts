import { readLogs } from '@deblox/actions/calls/kinds'
import { containerId } from '@deblox/actions/schemas'
import Joi from 'joi'
import type { Route } from '../route'
import { preferred } from '../streams/accepts'
import { type AskedLogs, logFields, logParams } from '../streams/asked-logs'
import { logForm, logTypes } from '../streams/log-forms'
import { LogReader } from '../streams/log-lines'
import { LogPosition } from '../streams/log-position'
import { speak } from '../streams/speak'
import { hostnameField, type Meant, openFor, piecesOf, type StreamDesk } from '../streams/opened'

/** A longer line comes in parts, in bytes: what is kept of it here has a bound. */
const longestLine = 2 ** 20 + 64

/** What one container logs. */
export function logRoute(desk: StreamDesk): Route {
  return {
    method: 'GET',
    path: '/v1/containers/:id/logs',
    permission: 'read-logs',
    tag: 'containers',
    summary: 'Read what a container logs: as text, NDJSON or server-sent events, as `Accept` says',
    request: Joi.object({ id: containerId.required(), ...hostnameField, ...logFields }),
    answers: { 200: 'The lines, as they come' },
    async handle(fields, caller) {
      const asked = fields as unknown as AskedLogs & Meant
      const type = preferred(caller.header('accept'), logTypes)
      const position = LogPosition.from(caller.header('last-event-id')) ?? LogPosition.none()
      const params = logParams(asked, desk.fleet.clock.now(), position.time)
      const opened = await openFor(desk, caller, readLogs, asked, params)
      const form = logForm(type, { timestamps: asked.timestamps, from: position })
      const reader = new LogReader(longestLine)
      return {
        status: 200,
        headers: form.headers,
        stream: (out) =>
          speak(out, form, opened.signal, async (say) => {
            for await (const piece of piecesOf(opened)) await say(form.lines(position.unread(reader.read(piece))))
            await say(form.lines(position.unread(reader.rest())))
          }),
      }
    },
  }
}
