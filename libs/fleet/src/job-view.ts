import { isFinished, type JobError, type JobRecord, type JobState, type SlotOutcome, type SlotStatus } from './job'

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

interface SlotView {
  slot: number
  state: JobState
  dock: string | null
  attempts: number
  container: { id: string; name: string } | null
  /** The job that deletes its container, because another slot did not complete. */
  undoneBy: string | null
  error: JobError | null
}

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
