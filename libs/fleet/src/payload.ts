import type { Identity } from '@deblox/actions/access/identity'
import { roles } from '@deblox/actions/access/policies'
import { rulesSchema } from '@deblox/actions/admission/rules'
import { DebloxError } from '@deblox/actions/errors'
import { validate } from '@deblox/actions/explain'
import Joi from 'joi'
import { type JobPayload, payloadVersion, type SignedJob } from './job'
import { times } from './names'
import type { ApiKeys } from './signing/api-keys'
import { badSignature } from './signing/public-keys'
import type { Vouch } from './signing/trust'

const jobId = Joi.string().guid({ version: 'uuidv7' })
const text = Joi.string().max(1_000)

/** Longer than any of a stream's name; whoever writes jobs must not make workers write to other keys. */
const replyStream = Joi.string()
  .max(400)
  .pattern(/:replies:[A-Za-z0-9._-]+$/)

const payload = Joi.object<JobPayload>({
  v: Joi.valid(payloadVersion).required(),
  jobId: jobId.required(),
  slot: Joi.number().integer().min(1).max(1_000).required(),
  numbered: Joi.boolean().required(),
  action: text.required(),
  params: Joi.object().required(),
  actor: text.required(),
  owner: text.required(),
  replyTo: replyStream.required(),
  acceptedAt: Joi.number().min(0).required(),
  issuedAt: Joi.number().min(0).required(),
  expiresAt: Joi.number().min(0).required(),
  dock: text.required(),
  identity: Joi.object<Identity>({
    subject: text.required(),
    teams: Joi.array().items(text).required(),
    role: Joi.valid(...roles).required(),
    scopes: Joi.array().items(text),
  }).required(),
  // What these say is for those who go by them; signed it is all the same.
  given: Joi.object().required(),
  view: Joi.object(),
  rules: rulesSchema,
  origin: jobId,
  sealed: Joi.string(),
})

const signedJob = Joi.object<SignedJob>({
  v: Joi.valid(payloadVersion).required(),
  body: Joi.string().required(),
  sig: Joi.string().max(1_000).required(),
}).required()

/** The text of a payload, as a payload. Throws `invalid_request`. */
export function parsePayload(body: string): JobPayload {
  const parsed: unknown = JSON.parse(body)
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new DebloxError('invalid_request', 'payload: expected an object, got something else')
  }
  return validate(payload, parsed, { convert: false })
}

/** What is put on a topic. */
export function signJob(payload: JobPayload, { sign }: Pick<ApiKeys, 'sign'>): SignedJob {
  const body = JSON.stringify(payload)
  return { v: payloadVersion, body, sig: sign(body, 'deblox-job') }
}

/**
 * What a topic held, as a payload: the only way in which one is read. Throws `bad_signature` where it is none that the API
 * has signed, `invalid_request` where it has signed something else.
 */
export async function openJob(data: unknown, vouch: Vouch): Promise<JobPayload> {
  const { value, error } = signedJob.validate(data, { convert: false })
  if (error) throw badSignature('payload: expected a job that the API has signed, got something else')
  const { v, body, sig } = value
  await vouch(body, sig)
  return { ...parsePayload(body), signed: { v, body, sig } }
}

/** Whether a payload is of a version that only newer workers know. */
export const isNewer = (data: unknown): boolean => {
  const version = typeof data === 'object' && data !== null && 'v' in data ? data.v : undefined
  return Number.isSafeInteger(version) && (version as number) > payloadVersion
}

interface Deadline {
  acceptedAt: number
  expiresAt?: number
}

/** When a job may not be begun any more, in milliseconds since 1970: what says nothing of that has a day, too. */
export const deadlineOf = ({ expiresAt, acceptedAt }: Deadline): number =>
  expiresAt ?? acceptedAt + times.deadline.change
