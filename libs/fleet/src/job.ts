import { randomBytes } from 'node:crypto'
import type { ErrorCode } from '@deblox/actions/errors'

/** The original's reply, field for field. */
export interface Envelope {
  'Content-Length'?: string
  'Content-Type'?: string
  Date: string
  Response: { Body: unknown } | ''
  dockerInstance: string
  statusCode: number
}

/** What becomes of the other containers where one of several could not be made. */
export type OnFailure = 'keep' | 'rollback'

/** The version of a payload's shape. A worker reads this one and the one before, and leaves newer ones to newer workers. */
export const payloadVersion = 2

/** What a worker takes from a topic: one slot of a job. */
export interface JobPayload {
  v: 1 | typeof payloadVersion
  jobId: string
  slot: number
  /** Whether the caller asked for `instances`. */
  numbered: boolean
  action: string
  params: Record<string, unknown>
  actor: string
  owner: string
  /** The stream of the API replica that waits for the outcome. */
  replyTo: string
  acceptedAt: number
  /** When it may not be begun any more, in milliseconds since 1970 by Redis's clock. Version 1 had no end. */
  expiresAt?: number
  /** The job whose failed slots this one tries again: what it made, this one finds and takes for its own. */
  origin?: string
  /** Nobody asked for this dock: while it is away, any other will do. */
  dealt?: true
}

/** What a job is, written before anything is put on a topic. */
export interface JobRecord {
  id: string
  action: string
  params: Record<string, unknown>
  actor: string
  owner: string
  replyTo: string
  numbered: boolean
  /** Milliseconds since 1970. */
  acceptedAt: number
  /** When it may not be begun any more, in milliseconds since 1970. */
  expiresAt?: number
  /** The topic of slot 1, 2 … */
  topics: string[]
  /** The topics are docks that nobody asked for. */
  dealt?: true
  onFailure?: OnFailure
  /** The job that this one tries again, and the first one of all of those. */
  retryOf?: string
  origin?: string
}

export interface JobError {
  code: ErrorCode
  status: number
  message: string
  details?: Record<string, unknown>
}

export type TerminalState = 'completed' | 'failed' | 'expired' | 'cancelled'

/** How one slot ended. */
export interface SlotOutcome {
  slot: number
  state: TerminalState
  dock: string | null
  attempts: number
  startedAt: number | null
  finishedAt: number
  result: SlotResult | null
  error: JobError | null
  /** The job that deletes what it made, because another slot did not complete. */
  undoneBy?: string
}

/** What a slot brought about. */
export interface SlotResult {
  envelope: Envelope
  container?: { id: string; name: string }
}

export type JobState = 'waiting' | 'active' | TerminalState

/** How one slot stands: its outcome, or what its topic says of it. */
export type SlotStatus =
  | SlotOutcome
  | {
      slot: number
      state: 'waiting' | 'active'
      dock: string | null
      attempts: number
      startedAt: number | null
      /** Why it does not run just now. */
      error?: JobError
    }

/** A job as the API shows it. Times are ISO 8601. */
export interface JobView {
  id: string
  action: string
  state: JobState
  actor: string
  owner: string
  /** The dock where all its slots are, or null while that is open or where they are several. */
  dock: string | null
  slots: SlotView[]
  attempts: number
  createdAt: string
  startedAt: string | null
  finishedAt: string | null
  expiresAt: string | null
  /** The job that this one tries again. */
  retryOf: string | null
  /** The daemon's answer to a job without `instances`; null where it gave none. */
  result: unknown
  /** Why it did not complete, or does not run just now. */
  error: JobError | null
}

export interface SlotView {
  slot: number
  state: JobState
  dock: string | null
  attempts: number
  container: { id: string; name: string } | null
  /** The job that deletes its container, because another slot did not complete. */
  undoneBy: string | null
  error: JobError | null
}

/** The id under which BullMQ knows one slot of a job, after so many times that it was handed on. */
export const slotJobId = (jobId: string, slot: number, hops = 0): string =>
  hops === 0 ? `${jobId}.${slot}` : `${jobId}.${slot}.${hops}`

/** A UUID of version 7 (RFC 9562): ids sort by the time of acceptance. */
export function newJobId(now = Date.now()): string {
  const bytes = randomBytes(16)
  bytes.writeUIntBE(now, 0, 6)
  bytes[6] = 0x70 | ((bytes[6] as number) & 0x0f)
  bytes[8] = 0x80 | ((bytes[8] as number) & 0x3f)
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** When a job of that id was accepted, in milliseconds since 1970. */
export const timeOfJobId = (id: string): number => Number.parseInt(id.replace('-', '').slice(0, 12), 16)

/** One slot of a job as a worker takes it. */
export function payloadOf(record: JobRecord, slot: number): JobPayload {
  const { id, numbered, action, params, actor, owner, replyTo, acceptedAt, expiresAt, origin, dealt } = record
  return {
    v: payloadVersion,
    jobId: id,
    slot,
    numbered,
    action,
    params,
    actor,
    owner,
    replyTo,
    acceptedAt,
    ...(expiresAt !== undefined && { expiresAt }),
    ...(origin !== undefined && { origin }),
    ...(dealt && { dealt }),
  }
}

export const isFinished = (status: SlotStatus): status is SlotOutcome => 'finishedAt' in status

/** One view from the record and the standing of each slot: failed if any slot failed, finished when all are. */
export function viewJob(record: JobRecord, slots: SlotStatus[]): JobView {
  const finished = slots.filter(isFinished)
  const state = stateOf(slots)
  const started = slots.flatMap(({ startedAt }) => startedAt ?? [])
  const docks = new Set(slots.map(({ dock }) => dock))
  const isOver = slots.every(isFinished)
  return {
    id: record.id,
    action: record.action,
    state,
    actor: record.actor,
    owner: record.owner,
    dock: docks.size === 1 ? (slots[0]?.dock ?? null) : null,
    slots: slots.map(viewSlot),
    attempts: Math.max(0, ...slots.map(({ attempts }) => attempts)),
    createdAt: isoTime(record.acceptedAt),
    // What an earlier job has done counts from the beginning of this one.
    startedAt: started.length > 0 ? isoTime(Math.max(record.acceptedAt, Math.min(...started))) : null,
    expiresAt: record.expiresAt === undefined ? null : isoTime(record.expiresAt),
    retryOf: record.retryOf ?? null,
    finishedAt: isOver ? isoTime(Math.max(...finished.map(({ finishedAt }) => finishedAt))) : null,
    result: record.numbered ? null : bodyOf(finished[0]),
    error: worstOf(slots, state)?.error ?? null,
  }
}

/** The slot that says most about a job's state. */
const worstOf = (slots: SlotStatus[], state: JobState): SlotStatus | undefined =>
  slots.find((slot) => slot.state === state && slot.error) ?? slots.find(({ error }) => error)

function stateOf(slots: SlotStatus[]): JobState {
  const states = new Set(slots.map(({ state }) => state))
  if (states.has('active')) return 'active'
  if (states.has('waiting')) return states.size === 1 ? 'waiting' : 'active'
  return (['failed', 'expired', 'cancelled'] as const).find((state) => states.has(state)) ?? 'completed'
}

/** The daemon's answer; null where there is none, or none yet. */
function bodyOf(outcome: SlotOutcome | undefined): unknown {
  const response = outcome?.result?.envelope.Response
  return response ? response.Body : null
}

function viewSlot(status: SlotStatus): SlotView {
  const outcome = isFinished(status) ? status : undefined
  return {
    slot: status.slot,
    state: status.state,
    dock: status.dock,
    attempts: status.attempts,
    container: outcome?.result?.container ?? null,
    undoneBy: outcome?.undoneBy ?? null,
    error: status.error ?? null,
  }
}

const isoTime = (ms: number): string => new Date(ms).toISOString()
