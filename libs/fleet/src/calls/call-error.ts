import { DebloxError, type ErrorCode, errorTable } from '@deblox/actions/errors'
import { broken } from './frames'
import { messageBytes } from './limits'

/** How a call failed, as a frame tells it. */
interface Told {
  code: ErrorCode
  message: string
  status: number
  details?: Record<string, unknown>
}

/** What an answerer threw. What is no failure of ours is told without its words: they may show what only the dock may know. */
export function tellError(error: unknown): Buffer {
  const known = error instanceof DebloxError ? error : new DebloxError('internal', 'the dock failed to answer the call')
  const { code, message, status, details } = known
  const told = { code, message, status } satisfies Told
  const whole = Buffer.from(JSON.stringify({ ...told, details }))
  return whole.length <= messageBytes
    ? whole
    : Buffer.from(JSON.stringify({ ...told, message: message.slice(0, messageBytes / 8) }))
}

export function toldError(payload: Buffer): DebloxError {
  const { code, message, status, details } = parsed(payload) as Partial<Told>
  if (typeof code !== 'string' || !Object.hasOwn(errorTable, code) || typeof message !== 'string') {
    return broken('an error of a known kind', String(code))
  }
  return new DebloxError(code, message, {
    ...(Number.isInteger(status) && { status }),
    ...(typeof details === 'object' && details !== null && { details }),
  })
}

/** A message as JSON. Throws `invalid_request` where it is too large for one frame. */
export function tellMessage(message: unknown): Buffer {
  const bytes = Buffer.from(message === undefined ? '' : JSON.stringify(message))
  if (bytes.length <= messageBytes) return bytes
  throw new DebloxError('invalid_request', `call: expected at most ${messageBytes} bytes, got ${bytes.length}`)
}

export const toldMessage = (payload: Buffer): unknown => (payload.length === 0 ? undefined : parsed(payload))

function parsed(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString())
  } catch (cause) {
    throw new DebloxError('stream_broken', 'call: expected JSON, got something else', { cause })
  }
}
