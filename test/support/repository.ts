import { join } from 'node:path'

/** The root of this checkout. */
export const repository = join(__dirname, '..', '..')
