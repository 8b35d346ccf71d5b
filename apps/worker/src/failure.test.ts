import { DebloxError } from '@deblox/actions/errors'
import { DeadlineError } from '@deblox/actions/deadline'
import { classify, outcomeUnknown, reportOf } from './failure'

const withFields = (message: string, fields: object) => Object.assign(new Error(message), fields)

const dockerError = (statusCode: number, message: string) =>
  withFields(`(HTTP code ${statusCode}) why - ${message}`, { statusCode, json: { message } })

test.each([
  ['the daemon’s socket is gone', withFields('connect', { code: 'ENOENT' }), 'not-sent'],
  ['nobody listens on the daemon’s socket', withFields('connect', { code: 'ECONNREFUSED' }), 'not-sent'],
  ['the daemon’s socket may not be opened', withFields('connect', { code: 'EACCES' }), 'not-sent'],
  ['the lease had run out', new DebloxError('lease_lost', 'run out'), 'not-sent'],
  ['the daemon died over it', withFields('socket hang up', { code: 'ECONNRESET' }), 'unknown'],
  ['the daemon died over it', withFields('write', { code: 'EPIPE' }), 'unknown'],
  ['the answer was cut short', withFields('Parse Error', { code: 'HPE_INVALID_CONSTANT' }), 'unknown'],
  ['the daemon did not answer in time', new DeadlineError(1000), 'unknown'],
  ['the daemon said no', dockerError(409, 'in use'), 'final'],
  ['the daemon failed', dockerError(500, 'oh'), 'final'],
  ['we said no', new DebloxError('invalid_request', 'no'), 'final'],
  ['an error without a code', new Error('bug'), 'final'],
  ['no error at all', 'text', 'final'],
])('when %s (%p), the effect is known to be: %s', (_, error, kind) => {
  expect(classify(error)).toBe(kind)
})

test.each([
  [dockerError(409, 'name taken'), { code: 'docker_error', status: 409, message: 'name taken' }],
  [new DebloxError('dock_not_found', 'no'), { code: 'dock_not_found', status: 404, message: 'no' }],
  [
    new DebloxError('ambiguous_container', 'two', { details: { candidates: [1, 2] } }),
    { code: 'ambiguous_container', status: 409, message: 'two', details: { candidates: [1, 2] } },
  ],
  [new Error('bug'), { code: 'internal', status: 500, message: 'bug' }],
  ['text', { code: 'internal', status: 500, message: 'text' }],
])('reports %p with a code, a status and a message', (error, report) => {
  expect(reportOf(error)).toEqual(report)
})

test('says that an effect is not known, why, and what to do', () => {
  const cause = new DeadlineError(2000)
  const error = outcomeUnknown('stop-container', cause)
  expect(error).toMatchObject({ code: 'outcome_unknown', status: 504, cause })
  expect(error.message).toMatch(/^stop-container: .* got expected an answer within 2 s, got none; .* look before/)
  expect(outcomeUnknown('stop-container', undefined).message).toContain('got none')
})
