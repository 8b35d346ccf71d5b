import { createPrivateKey, generateKeyPairSync, type JsonWebKey, type KeyObject } from 'node:crypto'
import { join } from 'node:path'
import { readKept, writeKept } from '@deblox/fleet/signing/kept-file'
import { thumbprint } from '@deblox/fleet/signing/public-keys'
import type { SealKey } from '@deblox/fleet/signing/seal'
import { StartError } from '@deblox/fleet/start-error'

/** The key pair to which the API seals secrets for this dock. */
export interface SealKeyPair {
  secret: KeyObject
  public: SealKey
}

/**
 * Read from the state folder, and made there the first time. One file for each host name. Where the folder cannot keep it
 * the pair is this process's alone: jobs must not fail over a full disk. Throws in one line where a file is there that
 * others could have read.
 */
export async function readSealKey(
  folder: string,
  hostname: string,
  onUnkept: (error: unknown) => void,
): Promise<SealKeyPair> {
  const file = join(folder, `seal-key.${hostname}.json`)
  const made = newKey()
  try {
    const kept = await readKept(file, 'private')
    if (kept !== null) return pairOf(kept, file)
    await writeKept(file, `${made}\n`, 'first')
    return pairOf((await readKept(file, 'private')) ?? made, file)
  } catch (error) {
    if (error instanceof StartError) throw error
    // Whoever may not read it, or write there, goes on; a file that others may read is refused.
    if (!isOfTheDisk(error)) throw unfit(file, error)
    onUnkept(error)
    return pairOf(made, file)
  }
}

const isOfTheDisk = (error: unknown): boolean => typeof error === 'object' && error !== null && 'syscall' in error

const newKey = (): string => JSON.stringify(generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' }))

function pairOf(text: string, file: string): SealKeyPair {
  try {
    const secret = createPrivateKey({ key: JSON.parse(text) as JsonWebKey, format: 'jwk' })
    const { kty, crv, x } = secret.export({ format: 'jwk' }) as unknown as Omit<SealKey, 'kid'>
    if (crv !== 'X25519') throw new Error(`expected an X25519 key, got ${String(crv)}`)
    return { secret, public: { kty, crv, x, kid: thumbprint({ kty, crv, x }) } }
  } catch {
    // Without a cause, which may show the key.
    throw new StartError(
      `DEBLOX_STATE_DIR: expected ${file} to hold an X25519 key as a JSON Web Key, got something else`,
    )
  }
}

function unfit(file: string, cause: unknown): StartError {
  const got = cause instanceof Error ? cause.message : String(cause)
  return new StartError(`DEBLOX_STATE_DIR: expected ${file} to keep this dock's key; expected ${got}`, { cause })
}
