import type { ActionResult } from '@deblox/actions/define-action'
import type { Envelope } from './job'

/** The original's reply: its fields, in its order. */
export function envelopeOf({ statusCode, body }: ActionResult, hostname: string, now = new Date()): Envelope {
  const date = now.toUTCString()
  if (body === undefined) return { Date: date, Response: '', dockerInstance: hostname, statusCode }
  return {
    // Docker ends its JSON with a line feed, and the original passed its length on.
    'Content-Length': String(Buffer.byteLength(JSON.stringify(body)) + 1),
    'Content-Type': 'application/json',
    Date: date,
    Response: { Body: body },
    dockerInstance: hostname,
    statusCode,
  }
}
