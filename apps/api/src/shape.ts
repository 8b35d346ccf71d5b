import type { Action } from '@deblox/actions/define-action'
import { type Envelope, isFinished, type JobError, type SlotOutcome, type SlotStatus, viewJob } from '@deblox/fleet/job'
import { problem } from './errors'
import type { Answer } from './route'
import type { Submitted } from './submit'

/** How a job is answered on a document: with the original's envelope, or with one for each instance. */
export function asDocument(action: Action, submitted: Submitted): Answer {
  const { record, slots } = submitted
  if (!slots.every(isFinished)) return stillRunning(submitted)
  const envelopes = slots.map(envelopeFor)
  const [first] = envelopes
  if (action.silent && first && first.statusCode < 400) return { status: 204 }
  const status = envelopes.find(({ statusCode }) => statusCode >= 400)?.statusCode ?? 200
  return { status, body: record.numbered ? { containers: envelopes } : first }
}

/** How a job is answered on its REST route. */
export function asRest(action: Action, submitted: Submitted): Answer {
  const { record, slots } = submitted
  if (!slots.every(isFinished)) return stillRunning(submitted)
  const job = viewJob(record, slots)
  const containers = slots.flatMap(madeContainer)
  if (job.error) {
    return problem(job.error, { job: job.id, ...(record.numbered ? { containers, slots: job.slots } : {}) })
  }
  if (action.creates) return { status: 201, body: { job, containers } }
  if (action.silent) return { status: 204 }
  if (action.effect !== 'read') return { status: 200, body: { job } }
  const [outcome] = slots
  const body = bodyOf(outcome?.result?.envelope)
  const shaped = action.present ? action.present(body, outcome?.dock ?? '') : body
  return { status: 200, body: Array.isArray(shaped) ? { items: shaped, nextCursor: null } : shaped }
}

/** The wait has ended before the job: that is no result, and says where the job can be seen. */
function stillRunning({ record, slots }: Submitted): Answer {
  const job = viewJob(record, slots)
  return { status: 202, body: { job }, headers: { Location: `/v1/jobs/${job.id}` } }
}

function envelopeFor(outcome: SlotOutcome): Envelope {
  if (outcome.error) return failureEnvelope(outcome.error, outcome)
  if (outcome.result) return outcome.result.envelope
  return failureEnvelope(resultGone, outcome)
}

const resultGone: JobError = {
  code: 'job_not_found',
  status: 410,
  message: 'expected a result that is still kept; the job completed, but its result has been removed by age',
}

function failureEnvelope({ status, message }: JobError, outcome: SlotOutcome): Envelope {
  const body = { message }
  return {
    'Content-Length': String(Buffer.byteLength(JSON.stringify(body)) + 1),
    'Content-Type': 'application/json',
    Date: new Date(outcome.finishedAt).toUTCString(),
    Response: { Body: body },
    dockerInstance: outcome.dock ?? '',
    statusCode: status,
  }
}

function madeContainer(status: SlotStatus): { id: string; name: string; dock: string | null; slot: number }[] {
  const made = isFinished(status) ? status.result?.container : undefined
  return made ? [{ ...made, dock: status.dock, slot: status.slot }] : []
}

const bodyOf = (envelope: Envelope | undefined): unknown =>
  envelope && envelope.Response !== '' ? envelope.Response.Body : undefined
