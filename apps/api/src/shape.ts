import type { Action } from '@deblox/actions/define-action'
import { type ErrorCode, errorTable } from '@deblox/actions/errors'
import { envelopeOf } from '@deblox/fleet/envelope'
import {
  type Envelope,
  isFinished,
  type JobError,
  type JobRecord,
  type SlotOutcome,
  type SlotStatus,
} from '@deblox/fleet/job'
import { type JobView, viewJob } from '@deblox/fleet/job-view'
import { problem } from './errors'
import type { Answer } from './route'
import type { Submitted } from './submit'

/** How a job is answered on a document: with the original's envelope, or with one for each instance. */
export function asDocument(action: Action, submitted: Submitted): Answer {
  const { record, slots } = submitted
  if (submitted.respondAsync || !slots.every(isFinished)) return accepted(submitted)
  const envelopes = slots.map(envelopeFor)
  const [first] = envelopes
  if (action.silent && first && first.statusCode < 400) return { status: 204 }
  const body = record.numbered ? { containers: envelopes } : first
  const bad = envelopes.findIndex(({ statusCode }) => statusCode >= 400)
  if (bad < 0) return { status: 200, body }
  const code = codeFor(slots[bad] as SlotOutcome)
  return { status: envelopes[bad]?.statusCode ?? 500, ...(code && { code }), body }
}

/** How a job is answered on its REST route. */
export function asRest(action: Action, submitted: Submitted): Answer {
  const { record, slots } = submitted
  if (submitted.respondAsync || !slots.every(isFinished)) return accepted(submitted)
  const job = viewJob(record, slots)
  const containers = slots.flatMap(madeContainer)
  if (job.error) return failed(job, record, containers)
  if (action.creates) return { status: 201, body: { job, containers } }
  if (action.silent) return { status: 204 }
  return { status: 200, body: { job } }
}

/** How a read was answered by its dock, or how it failed there. */
export interface ReadOutcome {
  dock: string
  envelope?: Envelope
  error?: JobError
}

/** How a read is answered on a document. */
export function readAsDocument({ dock, envelope, error = resultGone }: ReadOutcome): Answer {
  if (envelope) return { status: envelope.statusCode < 400 ? 200 : envelope.statusCode, body: envelope }
  const { status, message, code } = error
  return { status, code, body: envelopeOf({ statusCode: status, body: { message } }, dock, new Date()) }
}

/** How a read is answered on its REST route. */
export function readAsRest(action: Action, { dock, envelope, error = resultGone }: ReadOutcome): Answer {
  if (!envelope) return problem(error)
  const body = bodyOf(envelope)
  const shaped = action.present ? action.present(body, dock) : body
  return { status: 200, body: Array.isArray(shaped) ? { items: shaped, nextCursor: null } : shaped }
}

function failed(job: JobView, { numbered, onFailure }: JobRecord, containers: object[]): Answer {
  const error = job.error as JobError
  if (!numbered) return problem(error, { job: job.id })
  if (onFailure !== 'rollback') return problem(error, { job: job.id, containers, slots: job.slots })
  const message = `${error.message}; the other containers are being deleted, see the job`
  return problem({ ...error, message }, { job: job.id, containers: [], slots: job.slots })
}

/** The wait has ended before the job, or was not wanted: that is no result, and says where the job can be seen. */
function accepted({ record, slots }: Submitted): Answer {
  const job = viewJob(record, slots)
  return { status: 202, body: { job }, headers: { Location: `/v1/jobs/${job.id}` } }
}

/** The daemon's reply; a failure has the same form, with the daemon's message. */
function envelopeFor({ error, result, dock, finishedAt }: SlotOutcome): Envelope {
  if (result) return result.envelope
  const { status, message } = error ?? resultGone
  return envelopeOf({ statusCode: status, body: { message } }, dock ?? '', new Date(finishedAt))
}

/** Undefined where the daemon itself answered with a failure. */
const codeFor = ({ error, result }: SlotOutcome): ErrorCode | undefined =>
  result ? undefined : (error ?? resultGone).code

const resultGone: JobError = {
  code: 'result_gone',
  status: errorTable.result_gone.status,
  message: 'result: expected it to be kept still; the job completed, but its result has been removed by age or number',
}

function madeContainer(status: SlotStatus): { id: string; name: string; dock: string | null; slot: number }[] {
  const made = isFinished(status) ? status.result?.container : undefined
  return made ? [{ ...made, dock: status.dock, slot: status.slot }] : []
}

const bodyOf = ({ Response }: Envelope): unknown => (Response === '' ? undefined : Response.Body)
