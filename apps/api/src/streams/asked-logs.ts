import type { LogsParams } from '@deblox/actions/calls/kinds'
import { DebloxError } from '@deblox/actions/errors'
import { expected } from '@deblox/actions/messages'
import { flag } from '@deblox/actions/schemas'
import Joi from 'joi'
import { moment, secondsOf } from './moment'

/** What of a log is asked for. */
export interface AskedLogs {
  follow: boolean
  since?: string
  until?: string
  tail?: number | 'all'
  timestamps: boolean
  stdout?: boolean
  stderr?: boolean
}

export const logFields = {
  follow: flag.default(false).description('Go on with what is logged from now on'),
  since: moment.description('Only from then on: a time, seconds since 1970, or how long ago, such as `10m`'),
  until: moment.description('Only until then'),
  tail: Joi.number()
    .integer()
    .min(0)
    .max(1_000_000_000)
    .allow('all')
    .messages(expected('a number of lines, or all'))
    .description('So many lines from the end; all of them unless told'),
  timestamps: flag.default(false).description('Begin each line of text with its time'),
  stdout: flag.description('Standard output; both unless one of them is told'),
  stderr: flag.description('Standard error'),
} satisfies Joi.PartialSchemaMap<AskedLogs>

/** The same with its times in seconds since 1970: what is told as a while ago is so of `now`, in milliseconds, for good. */
export function atTimes<Asked extends AskedLogs>(asked: Asked, now: number): Asked {
  const { since, until } = logParams(asked, now)
  return { ...asked, ...(since !== undefined && { since }), ...(until !== undefined && { until }) }
}

/** The params of a call for logs; `now` in milliseconds, `from` where they were left off. */
export function logParams(
  { follow, since, until, tail, stdout, stderr }: AskedLogs,
  now: number,
  from?: string | null,
): Omit<LogsParams, 'id'> {
  const wanted = { stdout: stdout ?? stderr !== true, stderr: stderr ?? stdout !== true }
  if (!wanted.stdout && !wanted.stderr) {
    throw new DebloxError('invalid_request', 'stdout: expected it or stderr to be true, got neither')
  }
  const begin = from ?? since
  return {
    follow,
    ...wanted,
    ...(begin !== undefined && { since: secondsOf('since', begin, now) }),
    ...(until !== undefined && { until: secondsOf('until', until, now) }),
    ...(typeof tail === 'number' && typeof from !== 'string' && { tail }),
  }
}
