import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { openFleet } from '../../libs/fleet/src/fleet'
import { type JobPayload, newJobId, payloadVersion, slotJobId } from '../../libs/fleet/src/job'
import { dockTopic } from '../../libs/fleet/src/names'
import { eventually } from '../support/eventually'
import { type Fleet, startFleet } from '../support/fleet'
import { repository } from '../support/repository'
import { create, type Made } from './containers'

let fleet: Fleet
let container: Made

beforeAll(async () => {
  fleet = await startFleet({ docks: 1 })
  container = await create(fleet, { hostname: 'dock1' })
}, 60_000)

afterAll(() => fleet.stop(), 60_000)

const topic = dockTopic('dock1')
const opened = () => openFleet(fleet.redis, fleet.prefix)

/** A payload as a release wrote it, of a job and for a container that are here. */
function payloadFrom(file: string, more: object = {}): JobPayload {
  const data = JSON.parse(readFileSync(join(repository, 'test/corpus', file), 'utf8')) as JobPayload
  const params = 'id' in data.params ? { ...data.params, id: container.id } : data.params
  return { ...data, jobId: newJobId(), slot: 1, acceptedAt: Date.now(), params, ...more }
}

/** Puts it on the dock's topic past the API, as an older one of a fleet does that is being upgraded. */
async function put(payload: JobPayload): Promise<() => Promise<string>> {
  const { topics } = opened()
  const id = slotJobId(payload.jobId, 1)
  await topics.queue(topic).add(payload.action, payload, { jobId: id })
  return async () => (await topics.queue(topic).getJob(id))?.getState() ?? 'gone'
}

const samples = ['create-container', 'start-container', 'inspect-container', 'list-images', 'stop-container.timeout']
const versions = Array.from({ length: payloadVersion }, (_, n) => `v${n + 1}`)

test.each(versions.flatMap((version) => samples.map((sample) => `${version}/${sample}.json`)))(
  'a worker carries %s out',
  async (file) => {
    const state = await put(payloadFrom(file))
    await eventually(async () => expect(await state()).toBe('completed'))
  },
)

test('a worker makes the slot of a dealt job of version 2 under the name that its first try had', async () => {
  const origin = newJobId()
  const state = await put(
    payloadFrom('v2/create-container.retried.json', { origin, numbered: false, params: { image: 'busybox' } }),
  )
  await eventually(async () => expect(await state()).toBe('completed'))
  expect((await fleet.census()).map(({ name }) => name)).toContain(`deblox-${origin}-1`)
})

test('a worker leaves a payload of a version to come for a newer one, and takes others meanwhile', async () => {
  const newer = await put(payloadFrom('v2/start-container.json', { v: payloadVersion + 1, isNew: true }))
  await eventually(async () => expect(await newer()).toBe('delayed'))
  const other = await put(payloadFrom('v1/inspect-container.json'))
  await eventually(async () => expect(await other()).toBe('completed'))
  expect(await newer()).toBe('delayed')
})
