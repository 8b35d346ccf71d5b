import { DebloxError } from '@deblox/actions/errors'
import { validate } from '@deblox/actions/explain'
import Joi from 'joi'
import { type JobPayload, payloadVersion } from './job'

const jobId = Joi.string().guid({ version: 'uuidv7' })
const text = Joi.string().max(1_000)

/** Longer than any of a stream's name; whoever writes jobs must not make workers write to other keys. */
const replyStream = Joi.string()
  .max(400)
  .pattern(/:replies:[A-Za-z0-9._-]+$/)

const payload = Joi.object<JobPayload>({
  v: Joi.number().integer().min(1).max(payloadVersion).required(),
  jobId: jobId.required(),
  slot: Joi.number().integer().min(1).max(1_000).required(),
  numbered: Joi.boolean().required(),
  action: text.required(),
  params: Joi.object().required(),
  actor: text.required(),
  owner: text.required(),
  replyTo: replyStream.required(),
  acceptedAt: Joi.number().min(0).required(),
  expiresAt: Joi.number().min(0),
  origin: jobId,
  dealt: Joi.valid(true),
})

/** What a topic held, as a payload. Throws `invalid_request`: something else than Deblox has written to Redis. */
export const parsePayload = (data: unknown): JobPayload => {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) {
    throw new DebloxError('invalid_request', 'payload: expected an object, got something else')
  }
  return validate(payload, data, { convert: false })
}

/** Whether a payload is of a version that only newer workers know. */
export const isNewer = (data: unknown): boolean => {
  const version = typeof data === 'object' && data !== null && 'v' in data ? data.v : undefined
  return Number.isSafeInteger(version) && (version as number) > payloadVersion
}

/** Whether it is ours at all, for those who leave to a worker to say why not. */
export function isPayload(data: unknown): data is JobPayload {
  try {
    return parsePayload(data) !== undefined
  } catch {
    return false
  }
}
