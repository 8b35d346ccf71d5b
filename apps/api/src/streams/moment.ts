import { DebloxError } from '@deblox/actions/errors'
import { preview } from '@deblox/actions/explain'
import { expected } from '@deblox/actions/messages'
import Joi from 'joi'

const forms = {
  seconds: /^\d{1,12}(\.\d{1,9})?$/,
  back: /^(?=\d)(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s)?$/,
  date: /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)$/i,
}

const words = 'a time such as 2026-11-23T07:30:00Z, seconds since 1970, or how long ago, such as 10m or 1h30m'

/** A moment as people give it. */
export const moment = Joi.string()
  .max(64)
  .pattern(
    new RegExp(
      Object.values(forms)
        .map(({ source }) => `(?:${source})`)
        .join('|'),
      'i',
    ),
  )
  .messages(expected(words))

/**
 * Seconds since 1970, with a fraction, as text: Docker takes nanoseconds, which no number holds. `now` in milliseconds. Throws
 * `invalid_request` where there is no such day.
 */
export function secondsOf(field: string, text: string, now: number): string {
  if (forms.seconds.test(text)) return text
  const back = forms.back.exec(text)
  if (back) {
    const [days = 0, hours = 0, minutes = 0, seconds = 0] = back.slice(1).map((digits) => Number(digits ?? 0))
    const ms = now - (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000
    return (Math.max(0, ms) / 1000).toFixed(3)
  }
  const [, whole = '', fraction, zone = ''] = forms.date.exec(text) ?? []
  const ms = Date.parse(`${whole}${zone}`.toUpperCase())
  if (Number.isNaN(ms) || ms < 0 || !isThere(whole.toUpperCase())) {
    throw new DebloxError('invalid_request', `${field}: expected ${words}, got ${preview(text)}`)
  }
  return `${ms / 1000}${fraction === undefined ? '' : `.${fraction}`}`
}

/** A February 30 is March 2 to `Date`, and 24:00 the next day. */
const isThere = (whole: string): boolean => new Date(`${whole}Z`).toISOString().startsWith(whole)
