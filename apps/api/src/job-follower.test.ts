import type { JobEvent } from '@deblox/fleet/job-events'
import { deferred } from '../../../test/support/deferred'
import { eventually } from '../../../test/support/eventually'
import { JobFollower } from './job-follower'

/** What a double of the fleet tells of every job: as many events as `told` says. */
let told: number
let isAway: boolean
let reads: number
let follower: JobFollower

const eventOf = (n: number) => ({ id: `${n}-0` }) as JobEvent
const events = async (_id: string, after = '', count = 100) => {
  reads++
  if (isAway) throw new Error('Redis is away')
  const from = after === '' ? 1 : Number.parseInt(after, 10) + 1
  const found = Array.from({ length: Math.max(0, Math.min(count, told + 1 - from)) }, (_, n) => eventOf(from + n))
  return { events: found, last: found.at(-1)?.id ?? after }
}

beforeEach(() => {
  told = 3
  isAway = false
  reads = 0
  follower = new JobFollower({ events }, 10)
})

afterEach(() => follower.stop())

function listen({ after = '', isFull = (): boolean => false, onEvent = async (_event: JobEvent) => {} } = {}) {
  const heard: string[] = []
  const leave = follower.follow('job', after, {
    isFull,
    onEvent: async (event) => {
      await onEvent(event)
      heard.push(event.id)
    },
  })
  return { heard, leave }
}

test('tells all that was told, however much, each event once and in its order', async () => {
  told = 250
  const { heard } = listen()
  const late = listen({ after: '249-0' })
  await eventually(() => expect(heard).toHaveLength(250))
  told = 251
  await eventually(() => expect(heard).toHaveLength(251))
  expect(heard).toEqual(Array.from({ length: 251 }, (_, n) => `${n + 1}-0`))
  await eventually(() => expect(late.heard).toEqual(['250-0', '251-0']))
})

test('is woken before it looks by itself, also while it tells something', async () => {
  follower = new JobFollower({ events }, 60_000)
  const { promise, resolve } = deferred()
  const { heard } = listen({ onEvent: () => promise })
  told = 4
  follower.wake('another')
  follower.wake('job')
  resolve()
  await eventually(() => expect(heard).toHaveLength(4))
})

test('tells again what could not be told, and goes on when Redis is back', async () => {
  let failures = 2
  const onEvent = async ({ id }: JobEvent) => {
    if (id === '2-0' && failures-- > 0) throw new Error('not now')
  }
  const { heard } = listen({ onEvent })
  await eventually(() => expect(heard).toEqual(['1-0', '2-0', '3-0']))
  isAway = true
  const before = reads
  await eventually(() => reads > before + 2)
  told = 4
  isAway = false
  await eventually(() => expect(heard).toEqual(['1-0', '2-0', '3-0', '4-0']))
})

test('asks for no more while somebody has not taken what he was told', async () => {
  let full = true
  const { heard } = listen({ isFull: () => full })
  const other = listen()
  await eventually(() => expect(other.heard).toHaveLength(3))
  expect(heard).toEqual([])
  full = false
  await eventually(() => expect(heard).toHaveLength(3))
})

test('who leaves in the middle hears no more, and where nobody follows nothing is asked', async () => {
  const heard: string[] = []
  const leave = follower.follow('job', '', {
    isFull: () => false,
    onEvent: ({ id }) => {
      heard.push(id)
      leave()
    },
  })
  await eventually(() => expect(heard).toEqual(['1-0']))
  expect(follower.size).toBe(0)
  const before = reads
  const { heard: next, leave: leaveNext } = listen()
  await eventually(() => expect(next).toHaveLength(3))
  leaveNext()
  expect([heard, reads > before]).toEqual([['1-0'], true])
})
