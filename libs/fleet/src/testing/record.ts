import { type Envelope, type JobRecord, newJobId, type SlotOutcome } from '../job'

/** A record of one slot on one dock's topic, with other fields where they are given. */
export const recordOn = (replyTo: string, more: Partial<JobRecord> = {}): JobRecord => ({
  id: newJobId(),
  action: 'start-container',
  params: { id: 'abc' },
  actor: 'anna',
  owner: 'anna',
  replyTo,
  numbered: false,
  acceptedAt: Date.now(),
  topics: ['deblox.docker.dock-1'],
  ...more,
})

export const envelopeOf = (body: unknown): Envelope => ({
  Date: 'now',
  Response: { Body: body },
  dockerInstance: 'dock-1',
  statusCode: 200,
})
export const completed = (slot = 1, body: unknown = 'done'): SlotOutcome => ({
  slot,
  state: 'completed',
  dock: 'dock-1',
  attempts: 1,
  startedAt: 1,
  finishedAt: 2,
  result: { envelope: envelopeOf(body) },
  error: null,
})
export const failed = (slot = 1): SlotOutcome => ({
  ...completed(slot),
  state: 'failed',
  result: null,
  error: { code: 'docker_error', status: 409, message: 'no' },
})

/** A slot that made a container. */
export const made = (slot = 1, dock = `dock-${slot}`): SlotOutcome => ({
  ...completed(slot),
  dock,
  result: { envelope: envelopeOf('made'), container: { id: String(slot).repeat(64), name: `web-${slot}` } },
})
