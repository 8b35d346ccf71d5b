import { DebloxError, type ErrorCode, errorTable } from '@deblox/actions/errors'
import { asFailure, problem } from './errors'

test.each(Object.keys(errorTable) as ErrorCode[])('%s is told as a problem with its title, status and code', (code) => {
  const { status, body, headers } = problem(asFailure(new DebloxError(code, 'expected this, got that')))
  expect(status).toBe(errorTable[code].status)
  expect(body).toEqual({ title: errorTable[code].title, status, code, detail: 'expected this, got that' })
  expect(headers?.['Content-Type']).toBe('application/problem+json')
})

test('whoever meets a Redis that is away is told when to ask again', () => {
  expect(problem(asFailure(new DebloxError('redis_unavailable', 'away'))).headers).toHaveProperty('Retry-After', '1')
  expect(problem(asFailure(new DebloxError('job_not_found', 'no'))).headers).not.toHaveProperty('Retry-After')
})

test('Docker’s own status is passed on', () => {
  const error = { code: 'docker_error', status: 409, message: 'in use' } as const
  expect(problem(error)).toMatchObject({
    status: 409,
    body: { status: 409, detail: 'in use', title: 'Docker refused' },
  })
})

test('details stand beside the problem, and cannot hide what it is', () => {
  const details = { candidates: [1, 2], code: 'other', status: 200 }
  const { body } = problem({ code: 'ambiguous_container', status: 409, message: 'two', details }, { job: 'j' })
  expect(body).toMatchObject({ candidates: [1, 2], job: 'j', code: 'ambiguous_container', status: 409 })
})

test.each([
  [new Error('secret of the inside'), 500, 'internal'],
  [new TypeError('x is not a function'), 500, 'internal'],
  ['text', 500, 'internal'],
  [undefined, 500, 'internal'],
  [Object.assign(new Error('big'), { type: 'entity.too.large', status: 413 }), 413, 'body_too_large'],
  [Object.assign(new Error('cut'), { type: 'request.aborted', status: 400 }), 400, 'malformed_json'],
  [Object.assign(new URIError('bad'), { status: 400 }), 400, 'invalid_request'],
])('%p is told as %i %s, without its own words', (error, status, code) => {
  const failure = asFailure(error)
  expect(failure).toMatchObject({ status, code })
  expect(JSON.stringify(problem(failure))).not.toMatch(/secret|not a function|stack|at .*:\d+/)
})
