import { DebloxError } from '@deblox/actions/errors'
import type { ApiKeys } from './api-keys'
import type { Signed } from './jws'
import { badSignature, verifiersOf } from './public-keys'

/** Resolves where the API has signed a text, as a job unless another kind is named; rejects with `bad_signature`. */
export type Vouch = (text: string, signature: string, typ?: Signed) => Promise<void>

/** Whose signature counts, and what to sign with. */
export interface Trust {
  vouch: Vouch
  /** Only an API replica has keys: nobody else makes jobs. */
  keys?: ApiKeys
}

/** That of an API replica, in its own keys. */
export function trustIn(keys: ApiKeys): Trust {
  const verify = verifiersOf(keys.set)
  return {
    keys,
    async vouch(text, signature, typ = 'deblox-job') {
      if (typeof verify[typ](text, signature) !== 'object')
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
