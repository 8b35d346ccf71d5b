import type { Asked, Calls } from '@deblox/fleet/calls/call'
import { DebloxError } from '@deblox/actions/errors'
import { clusterTopic, dockTopic } from '@deblox/fleet/names'
import type { Address } from './address'
import { askOn } from './ask'
import { action, caller } from './testing/desk-double'

const envelope = { statusCode: 200, dockerInstance: 'dock-a', Date: '', Response: { Body: {} } }
const view = { owners: ['anna'], granted: [] }

let asked: Asked | undefined
let answer: () => Promise<unknown>
let topic: string
let docks: { hostname: string; state: string }[]

const calls = {
  ask: (given: Asked) => {
    asked = given
    return answer()
  },
} as Calls
const address: Address = async () => ({
  params: { id: 'x' },
  topics: [topic],
  owner: 'anna',
  given: { owner: 'anna' },
  view,
})
const fleet = { docks: { list: async () => docks }, placements: { takeTurn: async () => 1 } }
const ask = askOn(fleet as never, address, calls)
const inspect = action('inspect-container')

beforeEach(() => {
  answer = async () => ({ envelope })
  topic = dockTopic('dock-a')
  docks = []
})

test('a read is a call to its dock, with what the right rests on', async () => {
  expect(await ask(inspect, {}, caller())).toEqual({ dock: 'dock-a', envelope })
  expect(asked).toMatchObject({
    dock: 'dock-a',
    kind: 'inspect-container',
    params: { id: 'x' },
    given: { owner: 'anna' },
    view,
    identity: { subject: 'anna' },
  })
})

test('one that names no dock goes to the next that is ready', async () => {
  topic = clusterTopic
  await expect(ask(inspect, {}, caller())).rejects.toMatchObject({ code: 'no_dock_ready' })
  docks = ['a', 'b', 'c'].map((hostname) => ({ hostname, state: hostname === 'b' ? 'unreachable' : 'ready' }))
  expect((await ask(inspect, {}, caller())).dock).toBe('c')
})

test('it is waited for as long as the daemon may take, or less where the caller says so', async () => {
  await ask(inspect, {}, caller())
  expect(asked?.withinMs).toBeGreaterThan(inspect.timeoutMs as number)
  await ask(inspect, {}, caller({ prefer: { waitMs: 1_000, applied: 'wait=1' } }))
  expect(asked?.withinMs).toBe(1_000)
})

test('a read cannot be looked up later: that preference is not honoured, nor said to be', async () => {
  const asynchronous = caller({ prefer: { waitMs: 0, applied: 'respond-async' } })
  await ask(inspect, {}, asynchronous)
  expect(asynchronous.prefer.applied).toBe('')
  expect(asked?.withinMs).toBeGreaterThan(1_000)
})

test('how it failed on the dock is told with the dock; that Redis is away is not', async () => {
  answer = () => Promise.reject(new DebloxError('dock_unreachable', 'away'))
  expect(await ask(inspect, {}, caller())).toMatchObject({
    dock: 'dock-a',
    error: { code: 'dock_unreachable', status: 503 },
  })
  answer = () => Promise.reject(new DebloxError('redis_unavailable', 'away'))
  await expect(ask(inspect, {}, caller())).rejects.toMatchObject({ code: 'redis_unavailable' })
})
