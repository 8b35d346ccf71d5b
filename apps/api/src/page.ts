import { DebloxError } from '@deblox/actions/errors'
import Joi from 'joi'

/** The query of every list. */
export const pageFields = {
  limit: Joi.number().integer().min(1).max(1000).default(100).description('How many items at the most'),
  cursor: Joi.string().max(1024).description('The `nextCursor` of the page before'),
}

export interface Page<T> {
  items: T[]
  /** Where the next page begins, or null at the end. */
  nextCursor: string | null
}

/** A position in a sorted list, as text that callers pass back unread. */
export const writeCursor = (position: readonly string[]): string =>
  Buffer.from(JSON.stringify(position)).toString('base64url')

/** The position in a cursor of `length` parts. Throws `invalid_request` where it is none of ours. */
export function readCursor(cursor: string, length: number): string[] {
  try {
    const position: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    const isOurs =
      Array.isArray(position) && position.length === length && position.every((part) => typeof part === 'string')
    if (isOurs) return position
  } catch (error) {
    throw notOurs(cursor, error)
  }
  throw notOurs(cursor)
}

const notOurs = (cursor: string, cause?: unknown): DebloxError =>
  new DebloxError(
    'invalid_request',
    `cursor: expected the nextCursor of a page, got ${JSON.stringify(cursor.slice(0, 60))}`,
    {
      cause,
    },
  )
