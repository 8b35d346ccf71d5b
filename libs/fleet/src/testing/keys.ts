import { type ApiKeys, keysFrom, newKeys } from '../signing/api-keys'

/** The keys of an API that only tests know. */
export const testKeys: ApiKeys = keysFrom(newKeys())

/** Those of somebody else. */
export const otherKeys = (): ApiKeys => keysFrom(newKeys())
