import type { DockState } from '@deblox/fleet/docks'
import type { Fleet } from '@deblox/fleet/fleet'
import type { JobStatus } from '@deblox/fleet/jobs'
import type { SlotStatus } from '@deblox/fleet/job'
import { completed, recordOn } from '../../../libs/fleet/src/testing/record'
import { withStandstill } from './standstill'

/** A double of what is known of the docks, which counts how often it is asked. */
function docksDouble(states: Record<string, DockState>) {
  const asked: (string[] | undefined)[] = []
  const docks = {
    states: async (hostnames?: string[]) => {
      asked.push(hostnames)
      const all = Object.entries(states)
      return new Map(hostnames ? all.filter(([hostname]) => hostnames.includes(hostname)) : all)
    },
  }
  return { asked, fleet: { docks, clock: { now: () => Date.now() } } as unknown as Fleet }
}

const slot = (state: 'waiting' | 'active' = 'waiting'): SlotStatus => ({
  slot: 1,
  state,
  dock: null,
  attempts: 0,
  startedAt: null,
})

const jobOn = (topic: string, status: SlotStatus = slot(), acceptedAt = 0): JobStatus => {
  const record = recordOn('replies', { topics: [topic], acceptedAt })
  return { record, slots: [status], places: [{ topic, id: `${record.id}.1` }] }
}

const cluster = 'deblox.docker'
const errorsIn = (jobs: JobStatus[]) => jobs.map(({ slots }) => slots[0]?.error?.code)

test.each<[string, DockState, string | undefined]>([
  ['is not heard of', 'unreachable', 'host_unreachable'],
  ['has a daemon that does not answer', 'daemon-unhealthy', 'daemon_unhealthy'],
  ['is ready', 'ready', undefined],
  ['is drained', 'drained', undefined],
])('a job that waits for a dock that %s says so', async (_, state, code) => {
  const { fleet } = docksDouble({ 'dock-1': state })
  const found = await withStandstill(fleet, [jobOn('deblox.docker.dock-1')])
  expect(errorsIn(found)).toEqual([code])
})

test('the reason names the dock, and a status as an error of its kind has', async () => {
  const { fleet } = docksDouble({ 'dock-1': 'unreachable' })
  const [found] = await withStandstill(fleet, [jobOn('deblox.docker.dock-1')])
  expect(found?.slots[0]?.error).toMatchObject({ status: 503, message: expect.stringContaining('dock-1') })
})

test('a job that is worked on by a dock that does not go on says so', async () => {
  const { fleet } = docksDouble({ 'dock-1': 'daemon-unhealthy' })
  const found = await withStandstill(fleet, [jobOn(cluster, { ...slot('active'), dock: 'dock-1' })])
  expect(errorsIn(found)).toEqual(['daemon_unhealthy'])
})

test.each([
  ['is being cancelled', { ...slot(), error: { code: 'job_cancelled' as const, status: 409, message: '' } }],
  ['has ended', completed()],
])('a job that %s has no such reason, and nobody is asked', async (_, status) => {
  const { fleet, asked } = docksDouble({ 'dock-1': 'unreachable' })
  const jobs = [jobOn('deblox.docker.dock-1', status)]
  await expect(withStandstill(fleet, jobs)).resolves.toEqual(jobs)
  expect(asked).toEqual([])
})

test('a job that waits for any dock says so when none is ready, and not before it could have found one', async () => {
  const { fleet } = docksDouble({ 'dock-1': 'unreachable', 'dock-2': 'drained' })
  const jobs = [jobOn(cluster), jobOn(cluster, slot(), Date.now())]
  expect(errorsIn(await withStandstill(fleet, jobs))).toEqual(['no_dock_ready', undefined])
})

test('a job that waits for any dock says nothing while one is ready', async () => {
  const { fleet } = docksDouble({ 'dock-1': 'unreachable', 'dock-2': 'ready' })
  expect(errorsIn(await withStandstill(fleet, [jobOn(cluster)]))).toEqual([undefined])
})

test('a page of jobs asks for each of their docks, once, and for no other', async () => {
  const { fleet, asked } = docksDouble({ 'dock-1': 'ready', 'dock-2': 'ready', 'dock-3': 'ready' })
  const topics = ['dock-1', 'dock-2', 'dock-1'].map((dock) => `deblox.docker.${dock}`)
  await withStandstill(
    fleet,
    topics.map((topic) => jobOn(topic)),
  )
  expect(asked).toEqual([['dock-1', 'dock-2']])
})

test('each slot of a job has its own reason', async () => {
  const { fleet } = docksDouble({ 'dock-1': 'ready', 'dock-2': 'unreachable' })
  const topics = ['deblox.docker.dock-1', 'deblox.docker.dock-2']
  const record = recordOn('replies', { topics })
  const slots = [slot(), { ...slot(), slot: 2 }]
  const places = topics.map((topic, n) => ({ topic, id: `${record.id}.${n + 1}` }))
  const [found] = await withStandstill(fleet, [{ record, slots, places }])
  expect(found?.slots.map(({ error }) => error?.code)).toEqual([undefined, 'host_unreachable'])
})
