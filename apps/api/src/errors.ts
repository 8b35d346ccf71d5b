import { DebloxError, errorTable } from '@deblox/actions/errors'
import type { JobError } from '@deblox/fleet/job'
import type { Answer } from './route'

/** How long a caller should leave us alone before it asks again, in seconds, where the failure does not say. */
const retryAfter = 1

export const problemType = 'application/problem+json'

/** A problem reply (RFC 9457): what was expected and what arrived, never a stack trace. */
export function problem({ code, status, message, details }: JobError, more: Record<string, unknown> = {}): Answer {
  return {
    status,
    code,
    body: { ...details, ...more, title: errorTable[code].title, status, code, detail: message },
    headers: {
      'Content-Type': problemType,
      ...(status === 401 ? { 'WWW-Authenticate': 'Bearer realm="deblox"' } : {}),
      ...(status === 426 ? { Upgrade: 'websocket', Connection: 'Upgrade' } : {}),
      ...(status === 503 || status === 429
        ? { 'Retry-After': String(Number(details?.['retryAfter'] ?? retryAfter)) }
        : {}),
    },
  }
}

/** The failure as it may be told; what we did not foresee is told as `internal`, and logged by whoever calls this. */
export function asFailure(error: unknown): JobError {
  if (error instanceof DebloxError) {
    const { code, status, message, details } = error
    return { code, status, message, details }
  }
  const code = codeOfExpressError(error)
  if (code) return { code, status: errorTable[code].status, message: messages[code] }
  return { code: 'internal', status: 500, message: 'Deblox met an error that it did not expect; its log has more' }
}

type EdgeCode = 'body_too_large' | 'malformed_json' | 'invalid_request'

const messages: Record<EdgeCode, string> = {
  body_too_large: 'body: expected at most 1 MB, got more',
  malformed_json: 'body: expected a JSON object that arrives whole, got a body that cannot be read',
  invalid_request: 'path: expected valid percent-encoding, got a path that cannot be decoded',
}

/** Express and its body parser mark their errors with a status, and the parser with a type. */
function codeOfExpressError(error: unknown): EdgeCode | undefined {
  if (!(error instanceof Error)) return undefined
  if (error instanceof URIError) return 'invalid_request'
  if ('type' in error && error.type === 'entity.too.large') return 'body_too_large'
  // A body that cannot be inflated has a status and no type.
  return 'type' in error || ('status' in error && error.status === 400) ? 'malformed_json' : undefined
}
