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

/** What a worker takes from a topic: one slot of a job. */
export interface JobPayload {
  /** The version of this shape. */
  v: 1
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
  /** The topic of slot 1, 2 … */
  topics: string[]
}

export interface JobError {
  code: ErrorCode
  status: number
  message: string
  details?: Record<string, unknown>
}

/** How one slot ended. */
export interface SlotOutcome {
  slot: number
  state: 'completed' | 'failed'
  dock: string | null
  attempts: number
  startedAt: number | null
  finishedAt: number
  result: SlotResult | null
  error: JobError | null
}

/** What a slot brought about. */
export interface SlotResult {
  envelope: Envelope
  container?: { id: string; name: string }
}

export type JobState = 'waiting' | 'active' | 'completed' | 'failed'

/** How one slot stands: its outcome, or what its topic says of it. */
export type SlotStatus =
  | SlotOutcome
  | { slot: number; state: 'waiting' | 'active'; dock: string | null; attempts: number; startedAt: number | null }

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
  /** The daemon's answer to a job without `instances`; null where it gave none. */
  result: unknown
  error: JobError | null
}

export interface SlotView {
  slot: number
  state: JobState
  dock: string | null
  attempts: number
  container: { id: string; name: string } | null
  error: JobError | null
}

/** The id under which BullMQ knows one slot of a job. */
export const slotJobId = (jobId: string, slot: number): string => `${jobId}.${slot}`

/** A UUID of version 7 (RFC 9562): ids sort by the time of acceptance. */
export function newJobId(now = Date.now()): string {
  const bytes = randomBytes(16)
  bytes.writeUIntBE(now, 0, 6)
  bytes[6] = 0x70 | ((bytes[6] as number) & 0x0f)
  bytes[8] = 0x80 | ((bytes[8] as number) & 0x3f)
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

export const isFinished = (status: SlotStatus): status is SlotOutcome => 'finishedAt' in status

/** One view from the record and the standing of each slot: failed if any slot failed, finished when all are. */
export function viewJob(record: JobRecord, slots: SlotStatus[]): JobView {
  const finished = slots.filter(isFinished)
  const state = stateOf(slots)
  const started = slots.flatMap(({ startedAt }) => startedAt ?? [])
  const docks = new Set(slots.map(({ dock }) => dock))
  const isOver = state === 'completed' || state === 'failed'
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
    startedAt: started.length > 0 ? isoTime(Math.min(...started)) : null,
    finishedAt: isOver ? isoTime(Math.max(...finished.map(({ finishedAt }) => finishedAt))) : null,
    result: record.numbered ? null : bodyOf(finished[0]),
    error: finished.find(({ error }) => error)?.error ?? null,
  }
}

function stateOf(slots: SlotStatus[]): JobState {
  const states = new Set(slots.map(({ state }) => state))
  if (states.has('active')) return 'active'
  if (states.has('waiting')) return states.size === 1 ? 'waiting' : 'active'
  return states.has('failed') ? 'failed' : 'completed'
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
    error: outcome?.error ?? null,
  }
}

const isoTime = (ms: number): string => new Date(ms).toISOString()
