import type { RunningProcess } from '../support/processes'
import { eventually } from '../support/eventually'
import { type Fleet, startFleet } from '../support/fleet'
import { create, type Made } from './containers'
import { accepted, ended, jobOf } from './jobs'
import { expectDone } from './replies'

/** Where the engines look for images before all others (see script/engine), in the namespace of one of them. */
const registryPort = 5000

/** Accepts connections and never says a word: a pull from it hangs. */
const silent = `
  require('node:net').createServer(() => {}).listen(${registryPort}, '127.0.0.1', () => console.log('listens'))`

/** Says of every image that it is not there, a second after it was asked, and writes down what it was asked for. */
const empty = `
  require('node:http').createServer((request, response) => {
    console.log('asked', request.method, request.url)
    if (request.url === '/v2/') return response.end('{}')
    setTimeout(() => response.writeHead(404, { 'Content-Type': 'application/json' }).end('{"errors":[]}'), 1000)
  }).listen(${registryPort}, '127.0.0.1', () => console.log('listens'))`

const hangingPulls = 30

let fleet: Fleet
let containers: Made[]

beforeAll(async () => {
  fleet = await startFleet({ docks: 1 })
  containers = await Promise.all([1, 2, 3].map(() => create(fleet, { start: true, hostname: 'dock1' })))
}, 60_000)

afterAll(() => fleet.stop(), 60_000)

async function registry(script: string): Promise<RunningProcess> {
  const process = fleet.dock('dock1').engine.startInside(globalThis.process.execPath, ['-e', script])
  await process.waitForLine(/listens/)
  return process
}

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
    hung = await registry(silent)
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
    for (const id of waiting) await fleet.request(fleet.api, 'POST', `/v1/jobs/${id}/cancel`)
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
    for (const id of waiting) await fleet.request(fleet.api, 'POST', `/v1/jobs/${id}/cancel`)
    const jobs = await Promise.all(waiting.map((id) => ended(fleet, id)))
    expect(jobs.map(({ state }) => state)).toEqual(jobs.map(() => 'cancelled'))
    expect(performance.now() - began).toBeLessThan(15_000)
  }, 30_000)
})

test('ten creates of one missing image ask a registry for it once', async () => {
  const asking = await registry(empty)
  const body = { image: 'wanted-by-many', hostname: 'dock1' }
  const ids = await Promise.all(Array.from({ length: 10 }, () => accepted(fleet, 'POST', '/v1/containers', body)))
  const jobs = await Promise.all(ids.map((id) => ended(fleet, id)))
  expect(new Set(jobs.map(({ state }) => state))).toEqual(new Set(['failed']))
  const manifests = asking.lines.filter((line) => /asked (GET|HEAD) .*\/manifests\//.test(line))
  await asking.kill()
  // One pull looks with HEAD first, and then with GET where that found nothing.
  expect(manifests.map((line) => line.split(' ')[1]).filter((method) => method === 'GET').length).toBeLessThanOrEqual(1)
  expect(manifests.length).toBeGreaterThan(0)
  expect(manifests.length).toBeLessThanOrEqual(2)
}, 60_000)
