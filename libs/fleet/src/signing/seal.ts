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

const typ = 'deblox-secrets'

/** A JWE of the secrets that only that dock can open. */
export async function seal(secrets: Secrets, sealedFor: SealedFor, { kid, ...key }: SealKey): Promise<string> {
  const { jobId, slot, dock } = sealedFor
  const text = JSON.stringify({ jobId, slot, dock, secrets })
  return new CompactEncrypt(Buffer.from(text))
    .setProtectedHeader({ ...algorithms, typ, kid })
    .encrypt(key satisfies JWK_OKP_Public)
}

/** Opens what was sealed. Throws `bad_signature` where it was sealed for something else, or for another dock's key. */
export async function unseal(sealed: string, sealedFor: SealedFor, key: KeyObject): Promise<Secrets> {
  const { jobId, slot, dock, secrets } = await open(sealed, key)
  if (jobId === sealedFor.jobId && slot === sealedFor.slot && dock === sealedFor.dock) return secrets
  throw badSignature('sealed: expected secrets for this job, slot and dock, got others')
}

async function open(sealed: string, key: KeyObject): Promise<SealedFor & { secrets: Secrets }> {
  try {
    const { plaintext, protectedHeader } = await compactDecrypt(sealed, key, {
      keyManagementAlgorithms: [algorithms.alg],
      contentEncryptionAlgorithms: [algorithms.enc],
    })
    if (protectedHeader.typ !== typ) throw new Error('sealed for another purpose')
    return JSON.parse(Buffer.from(plaintext).toString()) as SealedFor & { secrets: Secrets }
  } catch {
    // Without a cause: what could not be read may be half of a secret.
    throw badSignature('sealed: expected secrets that this dock can open, got others; its key may have changed')
  }
}
