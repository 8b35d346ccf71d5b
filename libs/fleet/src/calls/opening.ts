import type { Given, View } from '@deblox/actions/access/decide'
import type { Identity } from '@deblox/actions/access/identity'
import { roles } from '@deblox/actions/access/policies'
import { DebloxError } from '@deblox/actions/errors'
import { validate } from '@deblox/actions/explain'
import Joi from 'joi'
import type { ApiKeys } from '../signing/api-keys'
import { badSignature } from '../signing/public-keys'
import type { Vouch } from '../signing/trust'
import type { Asked } from './call'
import { frameBytes, frameCost, openBytes, windowBytes } from './limits'
import type { Opener, Sealer } from './frames'

const version = 1

/** What is asked of a dock, which only that dock can read. */
export interface Question {
  kind: string
  params: object
  identity: Identity
  given: Given
  view?: View
  window?: number
}

/** What opens a call. The API signs it; in Redis everybody can read it. */
export interface Opening {
  v: typeof version
  /** Of the call, 16 bytes chosen at random, as base64url; `session` likewise. */
  id: string
  session: string
  dock: string
  /** The run of the dock's worker for which it is. */
  incarnation: string
  replica: string
  /** The session's secret, sealed to the dock. */
  sealed: string
  /** The question: the call's frame 0, as base64url. */
  asked: string
  /** In milliseconds since 1970. */
  issuedAt: number
  expiresAt: number
}

export interface SignedOpening {
  body: string
  sig: string
}

const text = Joi.string().max(1_000)
const id = Joi.string()
  .pattern(/^[A-Za-z0-9_-]{22}$/)
  .required()
const time = Joi.number().min(0).required()

const openingSchema = Joi.object<Opening>({
  v: Joi.valid(version).required(),
  id,
  session: id,
  dock: text.required(),
  incarnation: text.required(),
  // It becomes part of a key.
  replica: Joi.string()
    .pattern(/^[A-Za-z0-9._-]{1,100}$/)
    .required(),
  sealed: Joi.string().max(4_000).required(),
  asked: Joi.string().required(),
  issuedAt: time,
  expiresAt: time,
}).required()

const question = Joi.object<Question>({
  kind: text.required(),
  params: Joi.object().required(),
  identity: Joi.object<Identity>({
    subject: text.required(),
    teams: Joi.array().items(text).required(),
    role: Joi.valid(...roles).required(),
    scopes: Joi.array().items(text),
  }).required(),
  // What these say is for those who go by them; signed it is all the same.
  given: Joi.object().required(),
  view: Joi.object(),
  window: Joi.number()
    .integer()
    .min(frameBytes + frameCost)
    .max(windowBytes),
}).required()

/** The question as frame 0 of the call. */
export function sealQuestion({ kind, params, identity, given, view, window }: Asked, sealer: Sealer): string {
  const asked = { kind, params, identity, given, ...(view && { view }), ...(window && { window }) } satisfies Question
  return Buffer.concat(sealer.seal('begin', Buffer.from(JSON.stringify(asked)))).toString('base64url')
}

/** Throws `bad_signature` where somebody else has made it, `invalid_request` where it is no question. */
export function openQuestion(asked: string, opener: Opener): Question {
  const frame = unsealed(asked, opener)
  if (frame?.kind !== 'begin') throw badSignature('asked: expected a question, got something else')
  return validate(question, JSON.parse(frame.payload.toString()), { convert: false })
}

function unsealed(asked: string, opener: Opener) {
  try {
    return opener.open([Buffer.from(asked, 'base64url')])
  } catch (cause) {
    throw new DebloxError('bad_signature', 'asked: expected the question that was sealed, got another', { cause })
  }
}

/** Throws `invalid_request` where it is too large. */
export function signOpening(opening: Omit<Opening, 'v'>, { sign }: Pick<ApiKeys, 'sign'>): SignedOpening {
  const body = JSON.stringify({ v: version, ...opening } satisfies Opening)
  if (body.length > openBytes) {
    throw new DebloxError('invalid_request', `call: expected at most ${openBytes} bytes, got ${body.length}`)
  }
  return { body, sig: sign(body, 'deblox-call') }
}

/** Throws `bad_signature` where the API has not signed it as a call, `invalid_request` where it has signed something else. */
export async function readOpening({ body, sig }: SignedOpening, vouch: Vouch): Promise<Opening> {
  if (body.length > openBytes) throw badSignature(`call: expected at most ${openBytes} bytes, got ${body.length}`)
  await vouch(body, sig, 'deblox-call')
  const parsed: unknown = JSON.parse(body)
  return validate(openingSchema, parsed as Opening, { convert: false })
}
