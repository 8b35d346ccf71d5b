import { startFleet, type Fleet } from '../support/fleet'
import { eventually } from '../support/eventually'
import { type Reply, send } from '../support/http'
import { RunningProcess } from '../support/processes'
import { connect, type Socket } from 'node:net'
import { freePort } from '../support/free-port'
import { ended, jobIn } from './jobs'
import { expectRefused } from './replies'
import { stateFolder } from '../support/run-folder'

const respondAsync = { Prefer: 'respond-async' }
const depth = 30
const ofOwner = 40

let fleet: Fleet

beforeAll(async () => {
  const env = { DEBLOX_MAX_QUEUE_DEPTH: String(depth), DEBLOX_MAX_JOBS_PER_OWNER: String(ofOwner) }
  fleet = await startFleet({ docks: 2, env })
}, 60_000)

afterAll(() => fleet.stop(), 60_000)

const ask = (dock: string): Promise<Reply> =>
  fleet.request(fleet.api, 'POST', '/v1/containers', { image: 'busybox', hostname: dock }, respondAsync)

/** Asks until it is refused, and gives the ids of what was accepted, and the refusal. */
async function untilRefused(dock: string): Promise<{ ids: string[]; refusal: Reply }> {
  const ids: string[] = []
  for (;;) {
    const reply = await ask(dock)
    if (reply.status !== 202) return { ids, refusal: reply }
    ids.push(jobIn(reply))
  }
}

test('what waits for one dock is bounded; other docks are not affected, and it is taken again when it has gone on', async () => {
  const { worker } = fleet.dock('dock1')
  await worker.pause()
  const { ids, refusal } = await untilRefused('dock1')
  const problem = await expectRefused(
    Promise.resolve(refusal),
    429,
    'too_many_jobs',
    /^jobs: expected at most 30 to wait for dock1, got 30 and 1 more; come back when/,
  )
  expect(problem).toMatchObject({ limit: 'queue-depth', dock: 'dock1', most: depth, waiting: depth })
  expect(refusal.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
  expect(ids.length).toBe(depth)
  await ended(fleet, jobIn(await ask('dock2')))

  worker.resume()
  const jobs = await Promise.all(ids.map((id) => ended(fleet, id, { within: 30_000 })))
  expect(jobs.map(({ state, error }) => error ?? state)).toEqual(ids.map(() => 'completed'))
  await ended(fleet, jobIn(await ask('dock1')))
}, 60_000)

test('a repeated request is not refused, however full it is', async () => {
  const { worker } = fleet.dock('dock1')
  await worker.pause()
  const again = () =>
    fleet.request(
      fleet.api,
      'POST',
      '/v1/containers',
      { image: 'busybox', hostname: 'dock1', name: 'again' },
      { ...respondAsync, 'Idempotency-Key': 'again' },
    )
  const first = jobIn(await again())
  const { ids } = await untilRefused('dock1')
  expect(jobIn(await again())).toBe(first)
  worker.resume()
  await Promise.all([first, ...ids].map((id) => ended(fleet, id, { within: 30_000 })))
}, 60_000)

test('the slots of one job count each', async () => {
  const body = { image: 'busybox', hostname: 'dock2', instances: depth + 1 }
  await expectRefused(
    fleet.request(fleet.api, 'POST', '/v1/containers', body),
    429,
    'too_many_jobs',
    /got 0 and 31 more/,
  )
})

test('jobs of one owner that have not ended are bounded, wherever they wait', async () => {
  const [one, other] = [fleet.dock('dock1').worker, fleet.dock('dock2').worker]
  await Promise.all([one.pause(), other.pause()])
  const first = await untilRefused('dock1')
  const second = await untilRefused('dock2')
  await expectRefused(
    Promise.resolve(second.refusal),
    429,
    'too_many_jobs',
    /^jobs: expected fewer than 40 of yours .*, got 40;/,
  )
  one.resume()
  other.resume()
  await Promise.all([...first.ids, ...second.ids].map((id) => ended(fleet, id, { within: 30_000 })))
  await eventually(async () => expect((await ask('dock2')).status).toBe(202))
  const { body } = await fleet.request(fleet.api, 'GET', '/metrics')
  expect(body).toMatch(/^deblox_refused_total\{limit="queue-depth"\} [1-9]/m)
  expect(body).toMatch(/^deblox_refused_total\{limit="jobs-per-owner"\} [1-9]/m)
}, 60_000)

test('an API whose callers use up all its files lives on, and serves when they have gone', async () => {
  const port = await freePort()
  const { redisUrl: REDIS_URL, prefix: DEBLOX_PREFIX } = fleet
  const env = { REDIS_URL, DEBLOX_PREFIX, PORT: String(port), AUTH: 'off', DEBLOX_STATE_DIR: stateFolder() }
  const args = ['--nofile=128', process.execPath, 'apps/api/dist/main.js']
  const api = new RunningProcess({ name: 'api with few files', command: 'prlimit', args, env })
  await api.waitForLine(/listening/)
  const sockets: Socket[] = []
  const closed = new Set<Socket>()
  try {
    for (let n = 0; n < 300; n++) {
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => {})
      socket.on('close', () => closed.add(socket))
      sockets.push(socket)
    }
    await eventually(() => closed.size > 200)
    await expect(send(`http://127.0.0.1:${port}/healthz`, 'GET')).rejects.toThrow('fetch failed')
    expect(api.running).toBe(true)
    for (const socket of sockets) socket.destroy()
    const look = async () => (await send(`http://127.0.0.1:${port}/v1/docks`, 'GET')).status
    await eventually(look, (status) => status === 200)
    const { body } = await send(`http://127.0.0.1:${port}/metrics`, 'GET')
    expect(body).toMatch(/^deblox_refused_total\{limit="connections"\} [1-9]/m)
  } finally {
    expect(await api.stop()).toEqual({ code: 0, signal: null })
  }
}, 30_000)
