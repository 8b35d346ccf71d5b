import { classify } from '../failure'

/**
 * Reads again where a read broke off: a daemon that was started anew has closed the connections that are kept for requests, and the
 * first one to use such a connection learns of it so.
 */
export const onceMore = <T>(read: () => Promise<T>): Promise<T> =>
  read().catch((error: unknown) => {
    if (classify(error) !== 'unknown') throw error
    return read()
  })
