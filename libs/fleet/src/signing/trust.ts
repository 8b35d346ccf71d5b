import { DebloxError } from '@deblox/actions/errors'
import type { ApiKeys } from './api-keys'
import { badSignature, verifierOf } from './public-keys'

/** Resolves where the API has signed a text; rejects with `bad_signature`. */
export type Vouch = (text: string, signature: string) => Promise<void>

/** Whose signature counts, and what to sign with. */
export interface Trust {
  vouch: Vouch
  /** Only an API replica has keys: nobody else makes jobs. */
  keys?: ApiKeys
}

/** That of an API replica, in its own keys. */
export function trustIn(keys: ApiKeys): Trust {
  const verify = verifierOf(keys.set, 'deblox-job')
  return {
    keys,
    async vouch(text, signature) {
      if (typeof verify(text, signature) !== 'object')
        throw badSignature('signature: expected one by this API, got another')
    },
  }
}

/** That of a program which neither makes jobs nor takes any. */
export const noTrust: Trust = {
  async vouch() {
    throw badSignature('signature: expected to know the API, but this program does not')
  },
}

/** What jobs are signed with. Throws where this program has no keys. */
export function signer({ keys }: Trust): ApiKeys {
  if (!keys) throw new DebloxError('internal', 'expected the keys of the API to make a job with, got none')
  return keys
}
