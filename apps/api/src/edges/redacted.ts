import { parseFailure } from '@deblox/fleet/standing'

/** What of a payload the dashboard shows. All else may be secret: environments, registry passwords, results. */
const shown = ['jobId', 'slot', 'action', 'actor', 'owner', 'dock', 'acceptedAt', 'expiresAt'] as const

/** Longer than any of these is in order. */
const longest = 200

/** A job as the queue's own record tells it, for people who may see that it is there and not what it holds. */
export interface BoardJob {
  toJSON(): object
}

/** The same job; what it tells the dashboard is taken from an allow-list. */
export function redacted<T extends BoardJob>(job: T): T {
  const toJSON = job.toJSON.bind(job)
  return Object.defineProperty(job, 'toJSON', { value: () => redactedRecord(toJSON() as Record<string, unknown>) })
}

function redactedRecord(record: Record<string, unknown>): Record<string, unknown> {
  const { id, name, timestamp, processedOn, processedBy, finishedOn, attemptsMade, attemptsStarted } = record
  const { stalledCounter, failedReason, data } = record
  return {
    id,
    name,
    timestamp,
    processedOn,
    processedBy,
    finishedOn,
    attemptsMade,
    attemptsStarted,
    stalledCounter,
    ...(typeof failedReason === 'string' && failedReason !== '' && { failedReason: parseFailure(failedReason).code }),
    progress: 0,
    delay: 0,
    opts: {},
    stacktrace: [],
    returnvalue: null,
    data: redactedData(data),
  }
}

/** A payload is within the text that was signed; one that is not was refused, and may be anything. */
export function redactedData(data: unknown): Record<string, unknown> {
  const { body } = recordOf(data)
  const payload = typeof body === 'string' ? recordOf(parsed(body)) : recordOf(data)
  const plain: Record<string, unknown> = {}
  for (const name of shown) {
    const value = payload[name]
    if (typeof value === 'number') plain[name] = value
    if (typeof value === 'string') plain[name] = value.slice(0, longest)
  }
  return plain
}

const recordOf = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
