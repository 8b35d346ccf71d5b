import type { Job } from 'bullmq'
import { failureText, parseFailure, resultOf, standing } from './standing'

const envelope = { Date: '', Response: '', dockerInstance: 'd1', statusCode: 204 } as const
/** What is read of BullMQ's job. */
const jobOf = (fields: object) => fields as Job

test.each(['waiting', 'delayed', 'prioritized', 'unknown', 'paused'])(
  'a slot that is %s on its topic waits',
  (state) => {
    expect(standing(2, jobOf({ attemptsStarted: 0 }), state)).toEqual({
      slot: 2,
      state: 'waiting',
      dock: null,
      attempts: 0,
      startedAt: null,
    })
  },
)

test('a slot of which the topic knows nothing waits', () => {
  expect(standing(1, undefined, 'waiting')).toMatchObject({ state: 'waiting', attempts: 0 })
})

test('a slot that is being worked on is active', () => {
  expect(standing(1, jobOf({ attemptsStarted: 2, processedOn: 5 }), 'active')).toMatchObject({
    state: 'active',
    attempts: 2,
    startedAt: 5,
  })
})

test('a slot that completed tells its dock and its result', () => {
  const job = jobOf({ attemptsStarted: 1, processedOn: 5, finishedOn: 9, returnvalue: { envelope } })
  expect(standing(1, job, 'completed')).toEqual({
    slot: 1,
    state: 'completed',
    dock: 'd1',
    attempts: 1,
    startedAt: 5,
    finishedAt: 9,
    result: { envelope },
    error: null,
  })
})

test('a slot that was handed on to another topic waits', () => {
  expect(standing(1, jobOf({ returnvalue: { forwardedTo: 't' } }), 'completed')).toMatchObject({ state: 'waiting' })
})

test('a failure crosses BullMQ as text and is the same on the other side', () => {
  const error = { code: 'docker_error', status: 409, message: 'in "use"', details: { candidates: [1] } } as const
  expect(parseFailure(failureText(error, 'd1'))).toEqual({ ...error, dock: 'd1' })
  const job = jobOf({ failedReason: failureText(error, 'd1'), finishedOn: 9 })
  expect(standing(1, job, 'failed')).toMatchObject({ state: 'failed', dock: 'd1', finishedAt: 9, result: null, error })
})

test('a reason of BullMQ’s own means that workers died over the job: its effect is not known', () => {
  expect(parseFailure('job stalled more than allowable limit')).toEqual({
    code: 'outcome_unknown',
    status: 504,
    message: 'job stalled more than allowable limit',
    dock: null,
  })
})

test.each([undefined, null, {}, { forwardedTo: 't' }])('%j is no result', (returnvalue) => {
  expect(resultOf(jobOf({ returnvalue }))).toBeNull()
})
