import { DebloxError } from '@deblox/actions/errors'
import { DeadlineError } from '@deblox/actions/deadline'
import { classify, outcomeUnknown, pauseBefore, reportOf, retries } from './failure'

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
  ['the daemon did not answer in time', new DeadlineError(1000), 'timed-out'],
  ['the daemon said no', dockerError(409, 'in use'), 'final'],
  ['the daemon failed', dockerError(500, 'oh'), 'server-error'],
  [
    'the daemon failed to start what it had created',
    new DebloxError('docker_error', 'port taken', { status: 500 }),
    'server-error',
  ],
  ['the daemon said no to what it had created', new DebloxError('docker_error', 'bad', { status: 400 }), 'final'],
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

describe('an action that may be repeated', () => {
  test('is tried again after a pause that doubles up to a limit, and not for ever', () => {
    const pauses = Array.from({ length: retries.unknown.tries }, (_, n) => pauseBefore('unknown', n + 1))
    expect(pauses).toEqual([100, 200, 400, 800, 1_600, null])
    expect(pauseBefore('server-error', 1)).toBe(250)
    expect(pauseBefore('server-error', 3)).toBeNull()
  })

  test('is not tried again where the answer was no', () => {
    expect(pauseBefore('final', 1)).toBeNull()
  })

  test('waits for a daemon that was not reached, however often', () => {
    expect(pauseBefore('not-sent', 1_000)).toBe(0)
  })
})
