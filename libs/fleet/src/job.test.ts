import fc from 'fast-check'
import { isFinished, type JobRecord, newJobId, slotJobId, type SlotOutcome, type SlotStatus } from './job'
import { viewJob } from './job-view'

describe('newJobId', () => {
  test('is a UUID of version 7', () => {
    expect(newJobId()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  })

  test('holds the time of acceptance, and sorts by it', () => {
    const time = fc.integer({ min: 0, max: 2 ** 48 - 1 })
    fc.assert(
      fc.property(time, time, (one, other) => {
        const [a, b] = [newJobId(one), newJobId(other)]
        expect(Number.parseInt(a.replace('-', '').slice(0, 12), 16)).toBe(one)
        expect(one === other || a < b === one < other).toBe(true)
      }),
    )
  })

  test('is never the same', () => {
    expect(new Set(Array.from({ length: 10_000 }, () => newJobId(0))).size).toBe(10_000)
  })
})

test('BullMQ takes the id of a slot: no colon in it, and not only digits', () => {
  expect(slotJobId(newJobId(), 12)).toMatch(/^[0-9a-f-]+\.12$/)
})

const recordOf = (slots: number, numbered = slots > 1): JobRecord => ({
  id: newJobId(),
  action: 'create-container',
  params: {},
  actor: 'anna',
  owner: 'anna',
  replyTo: 'r',
  numbered,
  acceptedAt: 1_000,
  topics: Array.from({ length: slots }, () => 't'),
})

const pending = (state: 'waiting' | 'active', startedAt: number | null = null): SlotStatus => ({
  slot: 1,
  state,
  dock: null,
  attempts: 0,
  startedAt,
})
const envelope = { Date: '', Response: { Body: { Id: 'c' } }, dockerInstance: 'd1', statusCode: 201 }
const completed = (more: Partial<SlotOutcome> = {}): SlotOutcome => ({
  slot: 1,
  state: 'completed',
  dock: 'd1',
  attempts: 1,
  startedAt: 2_000,
  finishedAt: 3_000,
  result: { envelope, container: { id: 'c', name: 'web' } },
  error: null,
  ...more,
})
const error = { code: 'docker_error', status: 409, message: 'taken' } as const
const failed = (more: Partial<SlotOutcome> = {}) => completed({ state: 'failed', result: null, error, ...more })

describe('viewJob', () => {
  test.each([
    ['waiting', [pending('waiting')]],
    ['waiting', [pending('waiting'), pending('waiting')]],
    ['active', [pending('active')]],
    ['active', [pending('active'), pending('waiting')]],
    ['active', [completed(), pending('waiting')]],
    ['active', [failed(), pending('active')]],
    ['completed', [completed(), completed()]],
    ['failed', [failed()]],
    ['failed', [completed(), failed()]],
  ] as [string, SlotStatus[]][])('is %s where its slots are %j', (state, slots) => {
    expect(viewJob(recordOf(slots.length), slots).state).toBe(state)
  })

  test('tells times, dock, attempts, result and container of a job of one slot', () => {
    const record = recordOf(1)
    expect(viewJob(record, [completed({ attempts: 3 })])).toEqual({
      id: record.id,
      action: 'create-container',
      state: 'completed',
      actor: 'anna',
      owner: 'anna',
      dock: 'd1',
      slots: [
        {
          slot: 1,
          state: 'completed',
          dock: 'd1',
          attempts: 3,
          container: { id: 'c', name: 'web' },
          undoneBy: null,
          error: null,
        },
      ],
      attempts: 3,
      createdAt: '1970-01-01T00:00:01.000Z',
      startedAt: '1970-01-01T00:00:02.000Z',
      expiresAt: null,
      retryOf: null,
      finishedAt: '1970-01-01T00:00:03.000Z',
      result: { Id: 'c' },
      error: null,
    })
  })

  test('tells of several slots the first begin, the last end, the first error, and no dock where they are several', () => {
    const slots = [
      completed({ startedAt: 2_500 }),
      failed({ slot: 2, dock: 'd2', startedAt: 2_100, finishedAt: 9_000 }),
    ]
    expect(viewJob(recordOf(2), slots)).toMatchObject({
      state: 'failed',
      dock: null,
      startedAt: '1970-01-01T00:00:02.100Z',
      finishedAt: '1970-01-01T00:00:09.000Z',
      result: null,
      error,
    })
  })

  test('tells the state by a rule that holds for every mixture', () => {
    const slot = fc.constantFrom(pending('waiting'), pending('active', 2_000), completed(), failed())
    fc.assert(
      fc.property(fc.array(slot, { minLength: 1, maxLength: 12 }), (slots) => {
        const view = viewJob(recordOf(slots.length), slots)
        const isOver = slots.every(isFinished)
        expect(view.finishedAt !== null).toBe(isOver)
        expect(view.state === 'completed' || view.state === 'failed').toBe(isOver)
        expect(view.error !== null).toBe(slots.some(({ state }) => state === 'failed'))
        expect(view.state === 'waiting').toBe(slots.every(({ state }) => state === 'waiting'))
        expect(view.slots).toHaveLength(slots.length)
      }),
    )
  })
})
