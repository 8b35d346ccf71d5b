import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { openFleet } from '../../libs/fleet/src/fleet'
import { type JobPayload, newJobId, slotJobId, type SignedJob } from '../../libs/fleet/src/job'
import { dockTopic } from '../../libs/fleet/src/names'
import { parsePayload, signJob } from '../../libs/fleet/src/payload'
import { type ApiKeys, openApiKeys } from '../../libs/fleet/src/signing/api-keys'
import { eventually } from '../support/eventually'
import { type Fleet, startFleet } from '../support/fleet'
import { repository } from '../support/repository'
import { stateFolder } from '../support/run-folder'
import { create, type Made } from './containers'

let fleet: Fleet
let container: Made
let keys: ApiKeys

beforeAll(async () => {
  fleet = await startFleet({ docks: 1 })
  container = await create(fleet, { hostname: 'dock1' })
  keys = await openApiKeys(join(stateFolder(), 'api-keys.json'))
}, 60_000)

afterAll(() => fleet.stop(), 60_000)

const topic = dockTopic('dock1')
const opened = () => openFleet(fleet.redis, fleet.prefix)
const read = (file: string): unknown => JSON.parse(readFileSync(join(repository, 'test/corpus', file), 'utf8'))

/** A payload as a release wrote it, of a job and for a container that are here. */
function adapted(data: Omit<JobPayload, 'v'>, more: object) {
  const params = 'id' in data.params ? { ...data.params, id: container.id } : data.params
  return { ...data, jobId: newJobId(), slot: 1, acceptedAt: Date.now(), params, ...more }
}

/** A signed job, as this fleet's API would have signed it. */
function signedFrom(file: string, more: Partial<JobPayload> = {}): [SignedJob, string] {
  const payload = adapted(parsePayload((read(file) as SignedJob).body), { given: {}, ...more }) as JobPayload
  return [signJob(payload, keys), payload.jobId]
}

/** Puts it on the dock's topic past the API, as an older one of a fleet does that is being upgraded. */
async function put(data: object, jobId: string): Promise<() => Promise<string>> {
  const { topics } = opened()
  const id = slotJobId(jobId, 1)
  await topics.queue(topic).add('of a release', data as SignedJob, { jobId: id })
  return async () => {
    const job = await topics.queue(topic).getJob(id)
    return `${(await job?.getState()) ?? 'gone'} ${job?.failedReason ?? ''}`.trim()
  }
}

const samples = ['create-container', 'start-container', 'inspect-container', 'list-images', 'stop-container.timeout']

test.each(samples.map((sample) => `v3/${sample}.json`))('a worker carries %s out', async (file) => {
  const state = await put(...signedFrom(file))
  await eventually(async () => expect(await state()).toBe('completed'))
})

test.each(['v1', 'v2'].flatMap((version) => samples.map((sample) => `${version}/${sample}.json`)))(
  'a worker refuses %s, which nobody has signed',
  async (file) => {
    const payload = adapted(read(file) as JobPayload, {})
    const before = await fleet.census()
    const state = await put(payload, payload.jobId)
    await eventually(async () => expect(await state()).toMatch(/^failed \{"code":"bad_signature"/))
    expect(await fleet.census()).toEqual(before)
  },
)

test('a worker makes the slot of a dealt job of version 3 under the name that its first try had', async () => {
  const origin = newJobId()
  const more = { origin, numbered: false, params: { image: 'busybox' } }
  const state = await put(...signedFrom('v3/create-container.retried.json', more))
  await eventually(async () => expect(await state()).toBe('completed'))
  expect((await fleet.census()).map(({ name }) => name)).toContain(`deblox-${origin}-1`)
})

test('a worker leaves a payload of a version to come for a newer one, and takes others meanwhile', async () => {
  const [signed, jobId] = signedFrom('v3/start-container.json')
  const newer = await put({ ...signed, v: signed.v + 1, isNew: true }, jobId)
  await eventually(async () => expect(await newer()).toBe('delayed'))
  const other = await put(...signedFrom('v3/inspect-container.json'))
  await eventually(async () => expect(await other()).toBe('completed'))
  expect(await newer()).toBe('delayed')
})
