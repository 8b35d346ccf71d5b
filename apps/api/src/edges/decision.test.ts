import type { Decided } from '../gate'
import { decisionFrom } from './decision'

const decided = (more: Partial<Decided> = {}): Decided => ({
  known: { identity: { subject: 'anna', teams: ['web'], role: 'operator' }, via: 'token', tokenId: 't1' },
  permission: 'start-container',
  object: 'ab'.repeat(32),
  dock: 'dock1',
  job: 'j1',
  address: '192.0.2.1',
  requestId: 'r1',
  status: 200,
  ...more,
})

test('what was done for somebody was allowed', () => {
  expect(decisionFrom(decided())).toEqual({
    who: 'anna',
    via: 'token',
    tokenId: 't1',
    role: 'operator',
    permission: 'start-container',
    object: 'ab'.repeat(32),
    dock: 'dock1',
    job: 'j1',
    address: '192.0.2.1',
    requestId: 'r1',
    decision: 'allow',
    status: 200,
  })
})

test.each(['forbidden', 'csrf_refused', 'admission_denied', 'too_many_requests', 'container_not_found'])(
  '%s is a denial',
  (code) => expect(decisionFrom(decided({ code, status: 403 }))).toMatchObject({ decision: 'deny', code }),
)

test.each(['docker_error', 'redis_unavailable', 'invalid_request'])('%s is the failure of what was allowed', (code) => {
  expect(decisionFrom(decided({ code, status: 500 }))).toMatchObject({ decision: 'allow', code, status: 500 })
})

test('of a stranger it is told from where he came', () => {
  const { object: _object, dock: _dock, job: _job, ...rest } = decided({ known: undefined, code: 'unauthenticated' })
  expect(decisionFrom(rest)).toMatchObject({
    who: null,
    via: null,
    role: null,
    object: null,
    dock: null,
    job: null,
    address: '192.0.2.1',
    decision: 'deny',
  })
})
