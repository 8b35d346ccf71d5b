import { createHash, createHmac, type KeyObject } from 'node:crypto'

/** A fixed number of safe characters for any text, for keys of Redis. */
export const digest = (text: string): string => createHash('sha256').update(text).digest('hex')

/** The same for a text that holds secrets: without the key nobody finds out by trying which text it was. */
export const digestWith =
  (key: KeyObject | undefined) =>
  (text: string): string =>
    key ? createHmac('sha256', key).update(text).digest('hex') : digest(text)
