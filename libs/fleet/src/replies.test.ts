import { useFleet } from '../../../test/support/fleet-on-redis'
import { eventually } from '../../../test/support/eventually'
import { newJobId, type SlotOutcome } from './job'
import { readReplies, type Reply, type ReplyReader } from './replies'
import { completed } from './testing/record'

const use = useFleet()
let stream: string
let replies: Reply[]
let gaps: number
let errors: Error[]
let reader: ReplyReader

const outcome: SlotOutcome = { ...completed(), result: null }

const tell = (job: string, text = JSON.stringify(outcome)) =>
  use.redis().xadd(stream, '*', 'job', job, 'action', 'start-container', 'accepted', '7', 'outcome', text)

const read = () =>
  readReplies(use.server().url, stream, {
    onReply: (reply) => void replies.push(reply),
    onGap: () => void gaps++,
    onError: (error) => void errors.push(error),
  })

const told = () => replies.map(({ jobId }) => jobId)

beforeEach(() => {
  stream = use.fleet().keys.replies(newJobId())
  replies = []
  gaps = 0
  errors = []
  reader = read()
})

afterEach(() => reader.close())

test('tells every reply once, in order, those included that were there before', async () => {
  reader.close()
  await tell('a')
  await tell('b')
  reader = read()
  await eventually(() => replies.length === 2)
  await tell('c')
  await eventually(() => replies.length === 3)
  expect(told()).toEqual(['a', 'b', 'c'])
  expect(replies[0]).toEqual({ jobId: 'a', action: 'start-container', acceptedAt: 7, outcome })
})

test('tells very many replies that came at once', async () => {
  const jobs = Array.from({ length: 1_500 }, (_, n) => `job-${n}`)
  await Promise.all(jobs.map((job) => tell(job)))
  await eventually(() => replies.length >= jobs.length)
  expect(told()).toEqual(jobs)
})

test('goes on after a reply that cannot be read', async () => {
  await eventually(() => gaps === 1)
  await tell('a', 'not JSON')
  await tell('b')
  await eventually(() => replies.length === 1)
  expect(told()).toEqual(['b'])
  expect(errors).toHaveLength(1)
})

test('says that there may be a gap when its connection was cut, and misses nothing', async () => {
  await eventually(() => gaps === 1)
  await tell('a')
  await eventually(() => replies.length === 1)
  const clients = (await use.redis().client('LIST')) as string
  const own = /^id=(\d+) .*cmd=xread/m.exec(clients)?.[1]
  await use.redis().client('KILL', 'ID', Number(own))
  await tell('b')
  await eventually(() => gaps === 2 && replies.length === 2)
  expect(told()).toEqual(['a', 'b'])
})

test('goes on after Redis was away, and asks to look up what may have been missed', async () => {
  const unhandled = jest.fn()
  process.on('unhandledRejection', unhandled)
  await eventually(() => gaps === 1)
  await tell('a')
  await eventually(() => replies.length === 1)
  await use.server().kill()
  // It is tried again several times in vain.
  await eventually(() => errors.length >= 5)
  await use.server().start()
  await tell('b')
  await eventually(() => gaps >= 2 && replies.length === 2)
  process.off('unhandledRejection', unhandled)
  expect(told()).toEqual(['a', 'b'])
  expect(unhandled).not.toHaveBeenCalled()
})

test('goes on after a Redis that answered with errors only', async () => {
  const unhandled = jest.fn()
  process.on('unhandledRejection', unhandled)
  await eventually(() => gaps === 1)
  await use.redis().acl('SETUSER', 'default', '-xread')
  await tell('a')
  // The read that is blocked now ends with this reply; the ones after it are refused.
  await eventually(() => errors.length >= 1)
  const refused = errors.length
  await use.redis().acl('SETUSER', 'default', '+xread')
  await tell('b')
  await eventually(() => replies.length === 2)
  process.off('unhandledRejection', unhandled)
  expect(told()).toEqual(['a', 'b'])
  expect(refused).toBeLessThan(50)
  expect(unhandled).not.toHaveBeenCalled()
})

test('tells nothing more once it is closed, and its connection ends, also while Redis is away', async () => {
  await eventually(() => gaps === 1)
  await use.server().kill()
  await eventually(() => errors.length >= 2)
  reader.close()
  await use.server().start()
  await tell('a')
  const clients = (await use.redis().client('LIST')) as string
  expect(clients).not.toContain('cmd=xread')
  expect(replies).toEqual([])
})
