import { type JobPayload, newJobId, slotJobId } from '@deblox/fleet/job'
import { signJob } from '@deblox/fleet/payload'
import type { ApiKeys } from '@deblox/fleet/signing/api-keys'
import { otherKeys } from '../../libs/fleet/src/testing/keys'
import type { Chance } from './chance'

/** An entry of a topic that is to be refused. */
export interface ForgedJob {
  /** What is wrong with it, for the message of a failure. */
  wrong: string
  id: string
  data: unknown
}

interface Forgery {
  chance: Chance
  /** The API's keys: what it signed is used in ways that it did not mean. */
  keys: ApiKeys
  /** A payload that would be carried out, of a job of its own each time. */
  valid: () => JobPayload
}

const entryOf = (data: unknown, { jobId, slot }: { jobId: string; slot: number }) => ({
  data,
  id: slotJobId(jobId, slot),
})

const strangers = otherKeys()

/** Fields of a payload, and what whoever forges one would like them to be. */
const wishes: Partial<Record<keyof JobPayload, unknown[]>> = {
  slot: [2, 999],
  action: ['delete-container', 'delete-image', 'unregister', 'kill-container'],
  params: [{ id: 'f'.repeat(64), force: true }, {}],
  actor: ['admin'],
  owner: ['mallory', 'team:root'],
  acceptedAt: [0, Date.now() + 86_400_000],
  expiresAt: [Date.now() + 86_400_000 * 365, Number.MAX_SAFE_INTEGER],
  dock: ['*', 'fake1', 'fake2'],
  identity: [{ subject: 'admin', teams: [], role: 'admin' }],
  given: [{}, { owner: 'mallory' }],
  rules: [{ profile: 'privileged' }],
  origin: [newJobId()],
  replyTo: ['x:replies:mallory'],
}

/** The ways to forge a job; each makes another one each time. */
export const forgeries: Record<string, (given: Forgery) => Omit<ForgedJob, 'wrong'>> = {
  'not signed at all'({ valid }) {
    const payload = valid()
    return entryOf(payload, payload)
  },

  'of version 1 or 2, which had no signatures'({ chance, valid }) {
    const { issuedAt: _issued, identity: _who, given: _given, dock: _dock, ...old } = valid()
    return entryOf({ ...old, v: chance.one([1, 2]) }, old)
  },

  'signed by a stranger'({ valid }) {
    const payload = valid()
    return entryOf(signJob(payload, strangers), payload)
  },

  'signed by a stranger under the name of the API’s key'({ keys, valid }) {
    const payload = valid()
    const signed = signJob(payload, keys)
    const [header] = signed.sig.split('.')
    const [, , signature] = signJob(payload, strangers).sig.split('.')
    return entryOf({ ...signed, sig: `${header}..${signature}` }, payload)
  },

  'with one bit of its text flipped'({ chance, keys, valid }) {
    const payload = valid()
    const signed = signJob(payload, keys)
    return entryOf({ ...signed, body: flipped(signed.body, chance) }, payload)
  },

  'with one bit of its signature flipped'({ chance, keys, valid }) {
    const payload = valid()
    const signed = signJob(payload, keys)
    return entryOf({ ...signed, sig: flipped(signed.sig, chance) }, payload)
  },

  'with another value in one field'({ chance, keys, valid }) {
    const payload = valid()
    const field = chance.one(Object.keys(wishes)) as keyof JobPayload
    const changed = { ...payload, [field]: chance.one(wishes[field] ?? []) }
    // What is the same text is the same job.
    if (JSON.stringify(changed) === JSON.stringify(payload)) changed.action = 'kill-container'
    return entryOf({ ...signJob(payload, keys), body: JSON.stringify(changed) }, payload)
  },

  'written anew'({ chance, keys, valid }) {
    const payload = valid()
    const entries = Object.entries(payload)
    const texts = [
      JSON.stringify(payload, null, 1),
      JSON.stringify(Object.fromEntries(entries.toReversed())),
      `${JSON.stringify(payload)}\n`,
      JSON.stringify(payload).replace('{', '{"action":"delete-container",'),
      JSON.stringify(payload).replace('"v":3', '"v":3.0'),
    ]
    return entryOf({ ...signJob(payload, keys), body: chance.one(texts) }, payload)
  },

  'with the signature of another job'({ keys, valid }) {
    const [payload, other] = [valid(), valid()]
    return entryOf({ ...signJob(payload, keys), sig: signJob(other, keys).sig }, payload)
  },

  'under the id of another job'({ chance, keys, valid }) {
    const payload = valid()
    const id = chance.one([
      slotJobId(newJobId(), 1),
      slotJobId(payload.jobId, 7),
      `x${payload.jobId}.1`,
      `forged ${payload.jobId}`,
    ])
    return { id, data: signJob(payload, keys) }
  },

  'for another dock'({ chance, keys, valid }) {
    const payload = { ...valid(), dock: chance.one(['fake2', 'fake', 'FAKE1', 'fake1.example.com', '**']) }
    return entryOf(signJob(payload, keys), payload)
  },

  'beyond its deadline'({ chance, keys, valid }) {
    const ago = chance.one([1, 60_000, 7_200_000, 86_400_000 * 30])
    const payload = { ...valid(), acceptedAt: 1, issuedAt: 1, expiresAt: Date.now() - ago }
    return entryOf(signJob(payload, keys), payload)
  },

  'whose signature is no text or none'({ chance, keys, valid }) {
    const payload = valid()
    const { sig, ...rest } = signJob(payload, keys)
    const none = [
      undefined,
      null,
      '',
      '..',
      5,
      [sig],
      { sig },
      sig.split('.').at(-1),
      `${sig}=`,
      sig.replace('..', '.e30.'),
    ]
    return entryOf({ ...rest, sig: chance.one(none) }, payload)
  },

  'whose text is no text'({ chance, keys, valid }) {
    const payload = valid()
    return entryOf(
      { ...signJob(payload, keys), body: chance.one([payload, null, 5, [JSON.stringify(payload)]]) },
      payload,
    )
  },

  'that says beside its signature what it wants to be'({ keys, valid }) {
    const payload = valid()
    return entryOf({ ...signJob(payload, keys), ...payload, action: 'delete-container' }, payload)
  },

  'signed as something else'({ chance, keys, valid }) {
    const payload = valid()
    const body = JSON.stringify(payload)
    const header = Buffer.from(JSON.stringify({ alg: chance.one(['none', 'HS256', 'EdDSA']), typ: 'deblox-job' }))
    const [, , signature] = keys.sign(body, 'deblox-job').split('.')
    const sig = chance.one([keys.sign(body, 'deblox-keys'), `${header.toString('base64url')}..${signature}`])
    return entryOf({ v: 3, body, sig }, payload)
  },
}

function flipped(text: string, chance: Chance): string {
  const bytes = Buffer.from(text)
  const at = chance.below(bytes.length)
  bytes[at] = (bytes[at] as number) ^ (1 << chance.below(7))
  return bytes.toString('latin1')
}
