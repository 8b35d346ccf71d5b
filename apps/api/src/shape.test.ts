import { findAction } from '@deblox/actions/registry'
import type { Action } from '@deblox/actions/define-action'
import type { JobError, JobRecord, SlotOutcome, SlotStatus } from '@deblox/fleet/job'
import { asDocument, asRest, readAsDocument, readAsRest } from './shape'

const action = (name: string) => findAction(name) as Action

const recordOf = (numbered = false): JobRecord => ({
  id: 'job',
  action: 'a',
  params: {},
  actor: 'anna',
  owner: 'anna',
  replyTo: 'r',
  numbered,
  acceptedAt: 0,
  topics: ['t'],
})

const envelope = (statusCode: number, body?: unknown) =>
  ({
    Date: 'now',
    Response: body === undefined ? '' : { Body: body },
    dockerInstance: 'd1',
    statusCode,
  }) as const

const completed = (more: object, slot = 1): SlotOutcome => ({
  slot,
  state: 'completed',
  dock: 'd1',
  attempts: 1,
  startedAt: 0,
  finishedAt: 0,
  result: { envelope: envelope(204), ...more },
  error: null,
})
const error = { code: 'docker_error', status: 409, message: 'name taken' } as const
const failed = (slot = 1): SlotOutcome => ({ ...completed({}, slot), state: 'failed', result: null, error })
const waits: SlotStatus = { slot: 1, state: 'waiting', dock: null, attempts: 0, startedAt: null }
const container = { id: 'c', name: 'web' }
const made = (slot = 1) => completed({ envelope: envelope(201, { Id: 'c', Warnings: null }), container }, slot)

const submitted = (slots: SlotStatus[], { numbered = false, respondAsync = false } = {}) => ({
  record: recordOf(numbered),
  slots,
  respondAsync,
})

describe.each([
  ['a document', asDocument],
  ['a REST request', asRest],
])('on %s', (_, shape) => {
  test.each([
    ['has not ended', submitted([waits])],
    ['has ended in part', submitted([completed({}), waits], { numbered: true })],
    ['was asked for without waiting, although it has ended', submitted([completed({})], { respondAsync: true })],
  ])('a job that %s is 202 and where it can be seen', (_, given) => {
    const { status, headers, body } = shape(action('start-container'), given)
    expect(status).toBe(202)
    expect(headers).toEqual({ Location: '/v1/jobs/job' })
    expect(body).toMatchObject({ job: { id: 'job' } })
  })

  test('a job that a dock refused has its code, for the audit; one that was done has none', () => {
    const refused = { ...failed(2), error: { code: 'dock_policy', status: 403, message: 'no' } } as const
    const given = submitted([completed({}), refused], { numbered: true })
    expect(shape(action('stop-container'), given)).toMatchObject({ status: 403, code: 'dock_policy' })
    expect(shape(action('stop-container'), submitted([completed({})]))).not.toHaveProperty('code')
  })

  test.each(['register', 'unregister'])('%s is 204 without a body', (name) => {
    expect(shape(action(name), submitted([completed({})]))).toEqual({ status: 204 })
  })
})

describe('a document is answered', () => {
  test('with the envelope itself where no instances were asked for', () => {
    const { status, body } = asDocument(action('create-container'), submitted([made()]))
    expect(status).toBe(200)
    expect(body).toEqual(envelope(201, { Id: 'c', Warnings: null }))
  })

  test('with a list of envelopes where instances were asked for, be it one', () => {
    const { body } = asDocument(action('create-container'), submitted([made()], { numbered: true }))
    expect(body).toEqual({ containers: [envelope(201, { Id: 'c', Warnings: null })] })
  })

  test('with 200 also where the daemon said 204 or 304, which stands in the envelope', () => {
    for (const statusCode of [204, 304]) {
      const given = submitted([completed({ envelope: envelope(statusCode) })])
      expect(asDocument(action('stop-container'), given)).toMatchObject({
        status: 200,
        body: { statusCode, Response: '' },
      })
    }
  })

  test('with the daemon’s own status and words where it refused', () => {
    expect(asDocument(action('start-container'), submitted([failed()]))).toMatchObject({
      status: 409,
      body: { statusCode: 409, dockerInstance: 'd1', Response: { Body: { message: 'name taken' } } },
    })
  })

  test('with all envelopes, failed ones in their place, where some instances failed', () => {
    const { status, body } = asDocument(action('create-container'), submitted([made(), failed(2)], { numbered: true }))
    expect(status).toBe(409)
    expect(body).toMatchObject({ containers: [{ statusCode: 201 }, { statusCode: 409 }] })
  })

  test('with a refusal where a silent action failed', () => {
    expect(asDocument(action('register'), submitted([failed()])).status).toBe(409)
  })

  test('with 410 where the result was not kept', () => {
    const gone = { ...completed({}), result: null }
    expect(asDocument(action('stop-container'), submitted([gone]))).toMatchObject({ status: 410 })
  })
})

describe('a REST request is answered', () => {
  test('201 with the job and its containers where it made some', () => {
    const { status, body } = asRest(action('create-container'), submitted([made(), made(2)], { numbered: true }))
    expect(status).toBe(201)
    expect(body).toMatchObject({
      job: { id: 'job', state: 'completed' },
      containers: [
        { id: 'c', name: 'web', dock: 'd1', slot: 1 },
        { id: 'c', name: 'web', dock: 'd1', slot: 2 },
      ],
    })
  })

  test('200 with the job where something was changed', () => {
    expect(asRest(action('stop-container'), submitted([completed({})]))).toMatchObject({
      status: 200,
      body: { job: { id: 'job', state: 'completed' } },
    })
  })

  test('with a problem that names the job where it failed', () => {
    const { status, headers, body } = asRest(action('stop-container'), submitted([failed()]))
    expect(status).toBe(409)
    expect(headers).toMatchObject({ 'Content-Type': 'application/problem+json' })
    expect(body).toEqual({
      title: 'Docker refused',
      status: 409,
      code: 'docker_error',
      detail: 'name taken',
      job: 'job',
    })
  })

  test('with a problem that tells what was made all the same, where some instances failed', () => {
    const { status, body } = asRest(action('create-container'), submitted([failed(), made(2)], { numbered: true }))
    expect(status).toBe(409)
    expect(body).toMatchObject({
      containers: [{ id: 'c', slot: 2 }],
      slots: [{ state: 'failed' }, { state: 'completed' }],
    })
  })
})

describe('a read is answered', () => {
  const error: JobError = { code: 'docker_error', status: 404, message: 'no such container' }

  test('with what the daemon said, a list as rows', () => {
    const one = { dock: 'd1', envelope: envelope(200, { Id: 'c' }) }
    expect(readAsRest(action('inspect-container'), one)).toEqual({ status: 200, body: { Id: 'c' } })
    const many = { dock: 'd1', envelope: envelope(200, []) }
    expect(readAsRest(action('list-containers'), many)).toEqual({ status: 200, body: { items: [], nextCursor: null } })
  })

  test('on a document with the envelope, also where it failed', () => {
    const given = envelope(200, { Id: 'c' })
    expect(readAsDocument({ dock: 'd1', envelope: given })).toEqual({ status: 200, body: given })
    expect(readAsDocument({ dock: 'd1', error })).toMatchObject({
      status: 404,
      code: 'docker_error',
      body: { statusCode: 404, dockerInstance: 'd1', Response: { Body: { message: 'no such container' } } },
    })
  })

  test('with a problem over REST where it failed', () => {
    expect(readAsRest(action('inspect-container'), { dock: 'd1', error })).toMatchObject({
      status: 404,
      body: { code: 'docker_error', detail: 'no such container' },
    })
  })
})
