import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Dock } from '../support/dock'
import { eventually } from '../support/eventually'
import { startFleet, type Fleet } from '../support/fleet'
import { startProgram } from '../support/processes'
import { runFolder } from '../support/run-folder'
import { create, inspect, type Made } from './containers'
import { accepted, ended, jobOf } from './jobs'

let folder: string
let fleet: Fleet

/** A state folder of its own stands for a machine of its own. */
const machine = (name: string): string => join(folder, name)

beforeAll(async () => {
  folder = await mkdtemp(join(runFolder(), 'state-'))
  fleet = await startFleet({ docks: 2, env: { DEBLOX_STATE_DIR: machine('a') } })
}, 60_000)

afterAll(async () => {
  await fleet.stop()
  await rm(folder, { recursive: true })
}, 60_000)

test('a worker that is started again on its machine does what waited for it', async () => {
  const container = await create(fleet, { hostname: 'dock1', start: true })
  const job = await whileAway(() => stop(container))
  await launchOn('a')

  expect(await ended(fleet, job)).toMatchObject({ state: 'completed' })
  expect((await inspect(fleet, container)).State.Running).toBe(false)
}, 40_000)

test('another machine that was given the name does not do what waited for the one before it', async () => {
  const container = await create(fleet, { hostname: 'dock1', start: true })
  const [before, made] = await whileAway(async () => [
    await stop(container),
    await accepted(fleet, 'POST', '/v1/containers', { image: 'busybox', hostname: 'dock1', name: 'for-the-other' }),
  ])
  await launchOn('b')

  const jobs = [await ended(fleet, before), await ended(fleet, made)]
  expect(jobs.map(({ state, error }) => [state, error?.code])).toEqual(jobs.map(() => ['failed', 'dock_replaced']))
  expect((await inspect(fleet, container)).State.Running).toBe(true)
  expect((await fleet.census()).filter(({ name }) => name === 'for-the-other')).toEqual([])
  // What is asked of it from now on is meant for it, and so is what was asked when it is started again.
  expect(await ended(fleet, await stop(container))).toMatchObject({ state: 'completed' })
  const later = await whileAway(() => accepted(fleet, 'POST', `/v1/containers/${container.id}/start`))
  await launchOn('b')
  expect(await ended(fleet, later)).toMatchObject({ state: 'completed' })
}, 60_000)

test('a name that is removed and given to another machine is not served what waited for the one before it', async () => {
  const container = await create(fleet, { hostname: 'dock1', start: true })
  const job = await whileAway(async () => {
    const waiting = await stop(container)
    await fleet.request(fleet.api, 'DELETE', '/v1/docks/dock1')
    return waiting
  })
  await launchOn('c')

  const { state, error } = await ended(fleet, job)
  expect({ state, code: error?.code }).toEqual({
    state: 'failed',
    code: expect.stringMatching(/^dock_(replaced|removed)$/),
  })
  expect((await inspect(fleet, container)).State.Running).toBe(true)
}, 60_000)

test('a clone of the machine is refused while the first one lives', async () => {
  await cp(machine('c'), machine('clone'), { recursive: true })
  const { env, engine, worker } = dock1()
  const settings = {
    ...env,
    DEBLOX_STATE_DIR: machine('clone'),
    DOCK_HOSTNAME: 'dock1',
    DOCKER_HOST: engine.dockerHost,
  }
  const clone = startProgram('worker', settings, 'clone of dock1')

  expect(await clone.exited).toEqual({ code: 1, signal: null })
  expect(clone.lines.filter((line) => !line.startsWith('{'))).toEqual([
    'deblox worker: DOCK_HOSTNAME: expected a name that no other worker uses, got dock1, for which another worker lives',
  ])
  expect(worker.running).toBe(true)
}, 30_000)

test('a worker that cannot keep what it must know ends with one line, and what waits for its name waits on', async () => {
  await writeFile(machine('file'), 'not a folder')
  const container = await create(fleet, { hostname: 'dock1', start: true })
  const job = await whileAway(() => stop(container))
  const state = dock1().env['DEBLOX_STATE_DIR'] ?? ''
  dock1().env['DEBLOX_STATE_DIR'] = machine('file')
  const ending = dock1().launch()
  expect(await ending.exited).toEqual({ code: 1, signal: null })
  expect(ending.lines.filter((line) => !line.startsWith('{'))).toEqual([
    expect.stringMatching(/^deblox worker: DEBLOX_STATE_DIR: expected .*, got: ENOTDIR/),
  ])
  dock1().env['DEBLOX_STATE_DIR'] = state
  dock1().launch()
  expect(await ended(fleet, job)).toMatchObject({ state: 'completed' })
}, 40_000)

test('docks of one machine have identities of their own', async () => {
  const [one, two] = await Promise.all(
    ['dock1', 'dock2'].map((name) => readFile(join(machine('a'), `dock-id.${name}`), 'utf8')),
  )
  expect(one).not.toBe(two)
})

const dock1 = (): Dock => fleet.dock('dock1')

const stop = (container: Made): Promise<string> =>
  accepted(fleet, 'POST', `/v1/containers/${container.id}/stop`, { timeout: 0 })

/** Does something while dock1 has no worker; what it asked for has not ended then. */
async function whileAway<T extends string | string[]>(ask: () => Promise<T>): Promise<T> {
  await dock1().worker.stop()
  const jobs = await ask()
  for (const id of [jobs].flat()) expect(await jobOf(fleet, id)).toMatchObject({ finishedAt: null })
  return jobs
}

async function launchOn(name: string): Promise<void> {
  dock1().env['DEBLOX_STATE_DIR'] = machine(name)
  dock1().launch()
  await eventually(async () => {
    const { body } = await fleet.request(fleet.api, 'GET', '/v1/docks/dock1')
    expect(body).toMatchObject({ state: 'ready' })
  })
}
