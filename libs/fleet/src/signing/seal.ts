import type { KeyObject } from 'node:crypto'
import type { Secrets } from '@deblox/actions/secrets'
import Joi from 'joi'
import { CompactEncrypt, compactDecrypt, type JWK_OKP_Public } from 'jose'
import { badSignature, octets32 } from './public-keys'

/** For which slot of which job, on which dock, secrets are sealed: nowhere else are they opened. */
export interface SealedFor {
  jobId: string
  slot: number
  dock: string
}

/** The public half of a dock's key pair for sealing (X25519). `kid` is its thumbprint. */
export interface SealKey {
  kty: 'OKP'
  crv: 'X25519'
  x: string
  kid: string
}

export const sealKey = Joi.object<SealKey>({
  kty: Joi.valid('OKP').required(),
  crv: Joi.valid('X25519').required(),
  x: octets32.required(),
  kid: octets32.required(),
}).options({ convert: false })

const algorithms = { alg: 'ECDH-ES', enc: 'A256GCM' } as const

/** What is sealed: one kind is never opened as the other. */
type Sealed = 'deblox-secrets' | 'deblox-session'

/** A JWE of the secrets that only that dock can open. */
export async function seal(secrets: Secrets, sealedFor: SealedFor, key: SealKey): Promise<string> {
  const { jobId, slot, dock } = sealedFor
  return sealText({ jobId, slot, dock, secrets }, 'deblox-secrets', key)
}

/** Opens what was sealed. Throws `bad_signature` where it was sealed for something else, or for another dock's key. */
export async function unseal(sealed: string, sealedFor: SealedFor, key: KeyObject): Promise<Secrets> {
  const opened = (await open(sealed, 'deblox-secrets', key)) as SealedFor & { secrets: Secrets }
  const { jobId, slot, dock, secrets } = opened
  if (jobId === sealedFor.jobId && slot === sealedFor.slot && dock === sealedFor.dock) return secrets
  throw badSignature('sealed: expected secrets for this job, slot and dock, got others')
}

/** From which API replica to which run of a dock's worker a secret is, with which their calls are kept from everybody else. */
export interface SessionOf {
  replica: string
  dock: string
  incarnation: string
}

/** A JWE of a session's secret of 32 bytes. */
export async function sealSession(secret: Buffer, sessionOf: SessionOf, key: SealKey): Promise<string> {
  const { replica, dock, incarnation } = sessionOf
  return sealText({ replica, dock, incarnation, secret: secret.toString('base64url') }, 'deblox-session', key)
}

/** Opens it. Throws `bad_signature` where it is another session's, or was sealed for another dock's key. */
export async function unsealSession(sealed: string, sessionOf: SessionOf, key: KeyObject): Promise<Buffer> {
  const opened = (await open(sealed, 'deblox-session', key)) as SessionOf & { secret: string }
  const { replica, dock, incarnation, secret } = opened
  const bytes = Buffer.from(typeof secret === 'string' ? secret : '', 'base64url')
  const isMeant = replica === sessionOf.replica && dock === sessionOf.dock && incarnation === sessionOf.incarnation
  if (isMeant && bytes.length === 32) return bytes
  throw badSignature('sealed: expected the secret of this replica, dock and incarnation, got another')
}

const sealText = (content: object, typ: Sealed, { kid, ...key }: SealKey): Promise<string> =>
  new CompactEncrypt(Buffer.from(JSON.stringify(content)))
    .setProtectedHeader({ ...algorithms, typ, kid })
    .encrypt(key satisfies JWK_OKP_Public)

async function open(sealed: string, typ: Sealed, key: KeyObject): Promise<unknown> {
  try {
    const { plaintext, protectedHeader } = await compactDecrypt(sealed, key, {
      keyManagementAlgorithms: [algorithms.alg],
      contentEncryptionAlgorithms: [algorithms.enc],
    })
    if (protectedHeader.typ !== typ) throw new Error('sealed for another purpose')
    return JSON.parse(Buffer.from(plaintext).toString())
  } catch {
    // Without a cause: what could not be read may be half of a secret.
    throw badSignature('sealed: expected secrets that this dock can open, got others; its key may have changed')
  }
}
