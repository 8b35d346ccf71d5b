import { type ErrorCode, errorTable } from '@deblox/actions/errors'
import type { Job } from 'bullmq'
import type { JobError, SignedJob, SlotOutcome, SlotResult, SlotStatus, TerminalState } from './job'
import type { SlotReturn } from './topics'

/** How a slot stands by BullMQ's record of it: also the way to an outcome that its worker could not write down. */
export function standing(slot: number, job: Job<SignedJob, SlotReturn> | undefined, state: string): SlotStatus {
  const common = {
    slot,
    dock: null,
    attempts: job?.attemptsStarted ?? 0,
    startedAt: job?.processedOn ?? null,
  }
  if (state === 'failed') return failedOutcome(common, job)
  const result = resultOf(job)
  if (state !== 'completed' || !result) return { ...common, state: state === 'active' ? 'active' : 'waiting' }
  const dock = result.envelope.dockerInstance
  return { ...common, dock, state: 'completed', finishedAt: job?.finishedOn ?? Date.now(), result, error: null }
}

function failedOutcome(
  common: { slot: number; attempts: number; startedAt: number | null },
  job: Job<SignedJob, SlotReturn> | undefined,
): SlotOutcome {
  const { dock, ...error } = parseFailure(job?.failedReason ?? '')
  return { ...common, dock, state: stateOf(error.code), finishedAt: job?.finishedOn ?? Date.now(), result: null, error }
}

const states: Partial<Record<ErrorCode, TerminalState>> = { job_cancelled: 'cancelled', job_expired: 'expired' }

/** The state of a job that ended with this error. */
export const stateOf = (code: ErrorCode): TerminalState => states[code] ?? 'failed'

/**
 * Errors cross BullMQ as text: what a worker wrote with `failureText`, or a reason of BullMQ's own, which it gives
 * where workers died over a job. How far those came is not known.
 */
export function parseFailure(reason: string): JobError & { dock: string | null } {
  try {
    return JSON.parse(reason) as JobError & { dock: string | null }
  } catch {
    return { code: 'outcome_unknown', status: errorTable.outcome_unknown.status, message: reason, dock: null }
  }
}

/** Whether a worker wrote this reason, which has then recorded the outcome itself. */
export const isOwnFailure = (reason: string): boolean => reason.startsWith('{"code":')

export const failureText = ({ code, ...error }: JobError, dock: string): string =>
  JSON.stringify({ code, ...error, dock })

/** What the slot brought about, if BullMQ's record of it says so. */
export const resultOf = (job: Job<SignedJob, SlotReturn> | undefined): SlotResult | null =>
  job?.returnvalue && 'envelope' in job.returnvalue ? job.returnvalue : null

/**
 * How a slot stands that BullMQ has not seen end: it may have been taken, and wait for its turn on its dock, or have been
 * offered to docks that could not take it, which is no attempt.
 */
export function unfinished(
  found: Exclude<SlotStatus, SlotOutcome>,
  dock: string | null,
  slot: number,
  fields: Record<string, string>,
): SlotStatus {
  const isQueued = found.state === 'active' && fields[`queued:${slot}`] !== undefined
  const attempts = Number(fields[`starts:${slot}`] ?? 0)
  return {
    ...found,
    attempts,
    ...(isQueued && { state: 'waiting' }),
    ...((isQueued || attempts === 0) && { startedAt: null }),
    ...(fields['cancel'] !== undefined && { error: beingCancelled }),
    dock: found.dock ?? dock,
  }
}

const beingCancelled: JobError = {
  code: 'job_cancelled',
  status: errorTable.job_cancelled.status,
  message: 'it is being cancelled: its dock is told, and ends it when it can',
}
