import type { RunningProcess } from '../support/processes'
import { eventually } from '../support/eventually'
import { type Fleet, startFleet } from '../support/fleet'
import { startRegistry } from '../support/registry'
import { create, type Made } from './containers'
import { accepted, ended, jobOf } from './jobs'
import { expectDone } from './replies'

/** Accepts connections where the engine looks for images before all others, and never says a word: a pull hangs. */
const silent = `
  require('node:net').createServer(() => {}).listen(5000, '127.0.0.1', () => console.log('listens'))`

const hangingPulls = 30

let fleet: Fleet
let containers: Made[]

beforeAll(async () => {
  fleet = await startFleet({ docks: 1 })
  containers = await Promise.all([1, 2, 3].map(() => create(fleet, { start: true, hostname: 'dock1' })))
}, 60_000)

afterAll(() => fleet.stop(), 60_000)

const cancel = (id: string) =>
  fleet.request(fleet.api, 'POST', `/v1/jobs/${id}/cancel`, undefined, { Prefer: 'respond-async' })

/** Stops, starts and restarts containers of the dock one after the other: what 19 of 20 such requests take at the most. */
async function p95OfShortWork(): Promise<number> {
  const times: number[] = []
  for (let n = 0; n < 7; n++) {
    for (const [what, body] of [['stop', { timeout: 0 }], ['start'], ['restart', { timeout: 0 }]] as const) {
      const container = containers[n % containers.length] as Made
      const began = performance.now()
      await expectDone(fleet.request(fleet.api, 'POST', `/v1/containers/${container.id}/${what}`, body))
      times.push(performance.now() - began)
    }
  }
  return times.sort((one, other) => one - other)[Math.floor(0.95 * times.length)] ?? Infinity
}

describe.each([
  ['dock’s own topic', { hostname: 'dock1' }],
  ['cluster topic', {}],
])('while thirty creates from the %s wait for pulls that hang', (_, where) => {
  let hung: RunningProcess
  let waiting: string[] = []
  let usual: number

  beforeAll(async () => {
    usual = await p95OfShortWork()
    hung = fleet.dock('dock1').engine.startInside(process.execPath, ['-e', silent])
    await hung.waitForLine(/listens/)
    const asked = Array.from({ length: hangingPulls }, (_, n) =>
      accepted(fleet, 'POST', '/v1/containers', { image: `not-there-${n}`, ...where }),
    )
    waiting = await Promise.all(asked)
    await eventually(
      async () => (await Promise.all(waiting.map((id) => jobOf(fleet, id)))).every(({ state }) => state === 'active'),
      undefined,
      { what: 'all of them have been taken' },
    )
  }, 60_000)

  afterAll(async () => {
    await Promise.all(waiting.map(cancel))
    await Promise.all(waiting.map((id) => ended(fleet, id)))
    await hung.kill()
  }, 60_000)

  test('stop, start and restart there take no longer than before', async () => {
    const now = await p95OfShortWork()
    process.stdout.write(
      `p95 of short work: ${Math.round(usual)} ms before, ${Math.round(now)} ms beside hanging pulls\n`,
    )
    expect(now).toBeLessThan(2 * usual + 100)
  }, 60_000)

  test('a create whose image is there is not held up, wherever it comes from', async () => {
    for (const fields of [{}, { hostname: 'dock1' }]) {
      const began = performance.now()
      await create(fleet, fields)
      expect(performance.now() - began).toBeLessThan(2_000)
    }
  })

  test('they are cancelled at once, all of them', async () => {
    const began = performance.now()
    await Promise.all(waiting.map(cancel))
    const jobs = await Promise.all(waiting.map((id) => ended(fleet, id)))
    expect(jobs.map(({ state }) => state)).toEqual(jobs.map(() => 'cancelled'))
    expect(performance.now() - began).toBeLessThan(15_000)
  }, 30_000)
})

test('ten creates of one image that is not there pull it once', async () => {
  const { engine } = fleet.dock('dock1')
  const real = await startRegistry(engine)
  await real.push('busybox', 'library/wanted-by-many', 'latest')
  const pushed = real.process.lines.length
  const body = { image: 'wanted-by-many', hostname: 'dock1' }
  const ids = await Promise.all(Array.from({ length: 10 }, () => accepted(fleet, 'POST', '/v1/containers', body)))
  const jobs = await Promise.all(ids.map((id) => ended(fleet, id)))
  expect(jobs.map(({ state, error }) => error ?? state)).toEqual(ids.map(() => 'completed'))
  const asked = () => real.process.lines.slice(pushed).filter((line) => /"HEAD \S*\/manifests\/latest/.test(line))
  // It tells of a request after it has answered it. What a manifest says the engine may know from another pull; which
  // one is the latest it asks each time.
  await eventually(asked, (lines) => lines.length > 0)
  await real.remove()
  await engine.docker.getImage('wanted-by-many').remove({ force: true })
  expect(asked()).toHaveLength(1)
}, 60_000)
