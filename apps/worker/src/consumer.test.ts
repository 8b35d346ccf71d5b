import { performance } from 'node:perf_hooks'
import { dockTopic } from '@deblox/fleet/names'
import { pino } from 'pino'
import { recordOn } from '../../../libs/fleet/src/testing/record'
import { deferred } from '../../../test/support/deferred'
import { eventually } from '../../../test/support/eventually'
import { useFleet } from '../../../test/support/fleet-on-redis'
import { Consumer, type SlotJob } from './consumer'
import { Gate } from './gate'
import { InOrderWorker } from './in-order-worker'
import { silenceMs } from './watchdog'

const use = useFleet()
const realNow = performance.now.bind(performance)
const clock = jest.spyOn(performance, 'now')
const topic = dockTopic('here')

/** BullMQ's take, which the tests keep from coming back: it has hung so before, and said nothing. */
const taking = InOrderWorker.prototype as unknown as {
  moveToActive: (this: unknown, token: string, name?: string) => Promise<unknown>
}
const { moveToActive } = taking

let gate: Gate
let ran: string[]
let deaf: Error[]
let consumer: Consumer
let run: () => Promise<void>
/** While a take hangs, what ends it. */
let hanging: ReturnType<typeof deferred<undefined>>[]
let hangs: boolean
let aheadMs: number

beforeEach(() => {
  aheadMs = 0
  clock.mockImplementation(() => realNow() + aheadMs)
  hanging = []
  hangs = false
  taking.moveToActive = function (token, name) {
    if (!hangs) return moveToActive.call(this, token, name)
    const take = deferred<undefined>()
    hanging.push(take)
    return take.promise
  }
  ran = []
  deaf = []
  gate = new Gate(true)
  run = async () => {}
})

afterEach(async () => {
  hangs = false
  for (const take of hanging) take.resolve(undefined)
  taking.moveToActive = moveToActive
  clock.mockImplementation(realNow)
  await consumer.close()
})

function listen(concurrency = 4): void {
  const options = {
    topic,
    hostname: 'here',
    gate,
    concurrency,
    async run({ name }: SlotJob) {
      ran.push(name)
      await run()
      return { endedBefore: true } as const
    },
    onGivenUp: () => {},
    onDeaf: (error: Error) => void deaf.push(error),
  }
  consumer = new Consumer(use.fleet(), options, pino({ level: 'silent' }))
}

/** Puts a job on the topic that has waited there for a minute. */
async function waits(name: string): Promise<void> {
  const { id } = recordOn('')
  await use
    .fleet()
    .topics.queue(topic)
    .add(name, {} as never, { jobId: id, timestamp: Date.now() - 60_000 })
}

/** Lets so much time pass that it is a silence, and looks whether jobs were taken, as happens every few seconds. */
async function silence(): Promise<void> {
  aheadMs += silenceMs
  await (consumer as unknown as { look(): Promise<void> }).look()
}

test('a worker that takes nothing any more is replaced, and what waits is taken', async () => {
  hangs = true
  listen()
  await eventually(() => hanging.length > 0)
  await waits('a')
  hangs = false
  expect(ran).toEqual([])
  await silence()
  await eventually(() => expect(ran).toEqual(['a']))
  await waits('b')
  await eventually(() => expect(ran).toEqual(['a', 'b']))
  expect(deaf).toEqual([])
})

test('where another worker takes nothing either, another process must do better', async () => {
  hangs = true
  listen()
  await eventually(() => hanging.length > 0)
  await waits('a')
  await silence()
  expect(deaf).toEqual([])
  await silence()
  expect(deaf).toMatchObject([{ message: expect.stringContaining(`taken from ${topic}`) }])
})

test.each([
  ['nothing waits', async () => {}],
  ['the gate is shut', async () => (gate.set(false), waits('a'))],
])('a worker is left alone while %s', async (_, given) => {
  hangs = true
  listen()
  await eventually(() => hanging.length > 0)
  await given()
  const listening = hanging.length
  await silence()
  await silence()
  expect(hanging).toHaveLength(listening)
  expect(deaf).toEqual([])
})

test('a worker is left alone while it has no room', async () => {
  const end = deferred()
  run = () => end.promise
  listen(1)
  await waits('a')
  await eventually(() => expect(ran).toEqual(['a']))
  await waits('b')
  await silence()
  await silence()
  expect(deaf).toEqual([])
  end.resolve()
  await eventually(() => expect(ran).toEqual(['a', 'b']))
})

test('a worker that is given more room takes more', async () => {
  const end = deferred()
  run = () => end.promise
  listen(1)
  for (const name of ['a', 'b', 'c']) await waits(name)
  await eventually(() => expect(ran).toEqual(['a']))
  consumer.concurrency = 3
  await eventually(() => expect(ran).toEqual(['a', 'b', 'c']))
  end.resolve()
})

test('a worker that was replaced while its gate was open takes nothing once that is shut', async () => {
  hangs = true
  listen()
  await eventually(() => hanging.length > 0)
  await waits('a')
  hangs = false
  await silence()
  await eventually(() => expect(ran).toEqual(['a']))
  gate.set(false)
  for (const take of hanging) take.resolve(undefined)
  await waits('b')
  await silence()
  expect(ran).toEqual(['a'])
  gate.set(true)
  await eventually(() => expect(ran).toEqual(['a', 'b']))
})
