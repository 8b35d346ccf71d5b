import { join } from 'node:path'
import { startFleet, type Fleet } from '../support/fleet'
import type { RunningProcess } from '../support/processes'
import { repository } from '../support/repository'
import { accepted, ended, jobOf } from './jobs'

let fleet: Fleet
let workers: Record<'recovering' | 'deaf', RunningProcess>
let waiting: Record<'recovering' | 'deaf', string>

// Both at once, as fifteen seconds of silence come before each step of the watchdog.
beforeAll(async () => {
  fleet = await startFleet({ docks: 2 })
  workers = { recovering: await deafen('dock1', 1), deaf: await deafen('dock2', Infinity) }
  waiting = { recovering: await createOn('dock1'), deaf: await createOn('dock2') }
}, 60_000)

afterAll(() => fleet.stop(), 60_000)

test('a worker that is given no jobs any more, and says nothing, builds its connections anew and does what waits', async () => {
  const worker = workers.recovering
  expect(await ended(fleet, waiting.recovering, { within: 40_000 })).toMatchObject({ state: 'completed', attempts: 1 })
  expect(worker.lines.filter((line) => line.includes('listening anew'))).toHaveLength(1)
  expect(await ended(fleet, await createOn('dock1'))).toMatchObject({ state: 'completed' })
  expect(worker.running).toBe(true)
}, 60_000)

test('one to which that does not help ends, says why, and leaves what waits to the next process', async () => {
  const worker = workers.deaf
  await worker.waitForLine(/listening anew/, { within: 40_000 })
  await worker.waitForLine(/^deblox worker: /, { within: 40_000 })
  expect(await worker.exited).toEqual({ code: 1, signal: null })
  expect(worker.lines.find((line) => line.startsWith('deblox worker: '))).toMatch(
    /expected jobs to be taken from deblox\.docker\.dock2 over new connections, but none was/,
  )
  expect(await jobOf(fleet, waiting.deaf)).toMatchObject({ state: 'waiting', attempts: 0 })

  fleet.dock('dock2').launch()
  expect(await ended(fleet, waiting.deaf)).toMatchObject({ state: 'completed', attempts: 1 })
  await fleet.docksReady()
}, 90_000)

/** Starts a dock's worker anew; the first so many times that it listens to the dock's own topic, it is given no job. */
async function deafen(hostname: string, times: number): Promise<RunningProcess> {
  const dock = fleet.dock(hostname)
  await dock.worker.stop()
  const hook = `--require ${join(repository, 'test/support/deaf.cjs')}`
  const preload = { NODE_OPTIONS: hook, DEAF_TOPIC: `deblox.docker.${hostname}`, DEAF_WORKERS: String(times) }
  Object.assign(dock.env, preload)
  const worker = dock.launch()
  for (const name of Object.keys(preload)) delete dock.env[name]
  await worker.waitForLine(/acts for this dock/)
  return worker
}

const createOn = (hostname: string) => accepted(fleet, 'POST', '/v1/containers', { image: 'busybox', hostname })
