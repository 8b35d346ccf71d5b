import { EngineBehindProxy } from '../support/engine-proxy'
import { type Fleet, startFleet } from '../support/fleet'
import { sharedEngines } from '../support/shared'
import { create, inspect } from './containers'
import { accepted, ended } from './jobs'

let engines: EngineBehindProxy[]
let fleet: Fleet

beforeAll(async () => {
  engines = await Promise.all(
    sharedEngines()
      .slice(0, 2)
      .map((engine) => EngineBehindProxy.before(engine)),
  )
  fleet = await startFleet({ docks: 2, engines })
}, 60_000)

afterAll(async () => {
  await fleet.stop()
  await Promise.all(engines.map((engine) => engine.close()))
}, 60_000)

afterEach(() => Promise.all(engines.map((engine) => engine.reset())))

/** Each daemon answers so many of these requests with a 500 after it has carried them out. Returns what it would have said. */
function lieAbout(what: RegExp, times: number): number[] {
  const hidden: number[] = []
  for (const engine of engines) {
    let left = times
    engine.lies = ({ path, status }) => {
      if (!what.test(path) || left === 0) return false
      left--
      hidden.push(status)
      return true
    }
  }
  return hidden
}

const creates = /\/containers\/create$/
const starts = /\/containers\/[^/]+\/start$/

test.each([
  ['the create', creates, 1, [201]],
  ['the create, and to the next', creates, 2, [201, 409]],
  // It is looked up then, and found to run.
  ['the start, and to the next', starts, 2, [204]],
])(
  'a create beside a daemon that acts and then answers 500 to %s makes one container',
  async (_, what, times, acted) => {
    const hidden = lieAbout(what, times)
    const id = await accepted(fleet, 'POST', '/v1/containers', { image: 'busybox', cmd: ['sleep', '60'], start: true })
    const job = await ended(fleet, id)
    expect(job).toMatchObject({ state: 'completed', error: null })
    expect(hidden).toEqual(acted)
    const running = { id: job.slots[0]?.container?.id, dock: job.dock, state: 'running' }
    expect(await fleet.census()).toMatchObject([{ ...running, labels: { 'deblox.job': id } }])
  },
  30_000,
)

test('several instances beside such daemons are made once each', async () => {
  const hidden = lieAbout(creates, 2)
  const id = await accepted(fleet, 'POST', '/v1/containers', { image: 'busybox', instances: 6 })
  expect(await ended(fleet, id)).toMatchObject({ state: 'completed', error: null })
  expect(hidden).toHaveLength(4)
  const made = (await fleet.census()).map(({ labels }) => labels['deblox.slot'] ?? '')
  expect(made.sort()).toEqual(['1', '2', '3', '4', '5', '6'])
}, 30_000)

test('a start beside such a daemon is done, and done once', async () => {
  const container = await create(fleet, { cmd: ['sleep', '60'] })
  const hidden = lieAbout(starts, 2)
  const id = await accepted(fleet, 'POST', `/v1/containers/${container.id}/start`)
  expect(await ended(fleet, id)).toMatchObject({ state: 'completed', error: null })
  expect(hidden).toEqual([204, 304])
  expect(await inspect(fleet, container)).toMatchObject({ State: { Running: true }, RestartCount: 0 })
}, 30_000)
