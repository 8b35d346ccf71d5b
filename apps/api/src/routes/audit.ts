import { writeLine } from '@deblox/fleet/audit-chain'
import type { AuditStore } from '@deblox/fleet/audit-store'
import { preview } from '@deblox/actions/explain'
import { DebloxError } from '@deblox/actions/errors'
import Joi from 'joi'
import type { Route } from '../route'

/** What a page may have: one decision is half a kilobyte. */
const mostLines = 10_000

const time = Joi.string().isoDate().messages({ 'string.isoDate': 'expected a time in ISO 8601' })
const cursor = Joi.string()
  .pattern(/^\d{1,15}-\d{1,10}$/)
  .messages({ 'string.pattern.base': 'expected the Deblox-Next-Cursor of the page before' })

const request = Joi.object({
  since: time.description('Written down at this time or later, by the clock of Redis'),
  until: time.description('Written down at this time or before'),
  limit: Joi.number().integer().min(1).max(mostLines).default(1_000).description('How many lines at the most'),
  cursor: cursor.description('The `Deblox-Next-Cursor` of the page before'),
})

interface Query {
  since?: string
  until?: string
  limit: number
  cursor?: string
}

/** As Redis counts: nothing of its is older than 1970. */
const millisecondOf = (text: string): number => Math.max(0, Date.parse(text))

/** What was decided, oldest first: for those who keep a copy, and for `apps/api/src/audit-verify.ts`. */
export const auditRoute = (store: Pick<AuditStore, 'page'>): Route => ({
  method: 'GET',
  path: '/v1/audit',
  tag: 'audit',
  summary: 'The decisions who may do what, oldest first, as lines of JSON that tie each to the one before',
  request,
  answers: {
    200: 'Lines of JSON (application/x-ndjson); the header `Deblox-Next-Cursor` says where the next page begins, if there is one',
  },
  async handle(fields) {
    const { since, until, limit, cursor } = fields as unknown as Query
    if (since !== undefined && until !== undefined && Date.parse(since) > Date.parse(until)) {
      throw new DebloxError('invalid_request', `until: expected no time before ${since}, got ${preview(until)}`)
    }
    const { lines, nextCursor } = await store.page({
      from: cursor !== undefined ? `(${cursor}` : since === undefined ? '-' : `${millisecondOf(since)}-0`,
      // Without a number behind it all of that millisecond are meant.
      to: until === undefined ? '+' : String(millisecondOf(until)),
      limit,
    })
    return {
      status: 200,
      body: lines.map(writeLine).join(''),
      headers: {
        'Content-Type': 'application/x-ndjson',
        ...(nextCursor !== null && { 'Deblox-Next-Cursor': nextCursor }),
      },
    }
  },
})
