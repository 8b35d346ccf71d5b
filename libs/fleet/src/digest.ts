import { createHash } from 'node:crypto'

/** A fixed number of safe characters for any text, for keys of Redis. */
export const digest = (text: string): string => createHash('sha256').update(text).digest('hex')
