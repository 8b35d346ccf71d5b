import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { openFleet } from '../../libs/fleet/src/fleet'
import { newJobId, payloadOf, slotJobId } from '../../libs/fleet/src/job'
import { dockTopic } from '../../libs/fleet/src/names'
import { signJob } from '../../libs/fleet/src/payload'
import { type ApiKeys, keysFrom } from '../../libs/fleet/src/signing/api-keys'
import { eventually } from '../support/eventually'
import { type Fleet, startFleet } from '../support/fleet'
import { startProgram } from '../support/processes'
import { repository } from '../support/repository'
import { runFolder } from '../support/run-folder'
import { create } from './containers'

let state: string
let fleet: Fleet

beforeAll(async () => {
  state = await mkdtemp(join(runFolder(), 'rotation-'))
  fleet = await startFleet({ docks: 2, apis: 2, env: { DEBLOX_STATE_DIR: state }, auth: true })
}, 60_000)

afterAll(async () => {
  await fleet.stop()
  await rm(state, { recursive: true })
}, 60_000)

const file = () => join(state, 'api-keys.json')
const keysNow = async (): Promise<ApiKeys> => keysFrom(await readFile(file(), 'utf8'))

/** The command, as an operator runs it. */
async function rotate(step: string): Promise<string> {
  const program = join(repository, 'apps/api/dist/rotate-keys.js')
  const { stdout } = await promisify(execFile)(process.execPath, [program, step], {
    env: { ...process.env, DEBLOX_STATE_DIR: state },
  })
  return stdout
}

async function restart(index: number): Promise<void> {
  const api = fleet.apis[index]
  if (!api) throw new Error(`expected an API number ${index}`)
  await api.process.stop()
  api.launch()
  await api.ready()
}

/** How a job ends that was signed with these keys and put on a dock's topic. */
async function endOf(keys: ApiKeys, hostname: string): Promise<string> {
  const { topics } = openFleet(fleet.redis, fleet.prefix)
  const id = newJobId()
  const record = {
    id,
    action: 'list-containers',
    params: {},
    actor: 'anna',
    owner: 'anna',
    numbered: false,
    replyTo: `${fleet.prefix}:replies:nobody`,
    acceptedAt: Date.now(),
    topics: [dockTopic(hostname)],
  }
  const queue = topics.queue(dockTopic(hostname))
  await queue.add('signed', signJob(payloadOf(record, 1), keys), { jobId: slotJobId(id, 1) })
  const job = async () => queue.getJob(slotJobId(id, 1))
  const state = await eventually(
    async () => (await job())?.getState(),
    (one) => one === 'completed' || one === 'failed',
  )
  const reason = (await job())?.failedReason ?? ''
  await topics.close()
  return `${String(state)}${reason && ` ${(JSON.parse(reason) as { code: string }).code}`}`
}

const docks = ['dock1', 'dock2']

test('keys are changed while the fleet works: both are believed, and the old one no more when it is dropped', async () => {
  const old = await keysNow()
  expect(await Promise.all(docks.map((dock) => endOf(old, dock)))).toEqual(['completed', 'completed'])

  expect(await rotate('add')).toMatch(/^version 2: [\w-]{43} and [\w-]{43}; restart/)
  const both = await keysNow()
  // One replica at a time: the other goes on with the old key.
  await restart(0)
  for (const api of fleet.apis) await Promise.all(docks.map((hostname) => create(fleet, { hostname }, api)))
  await restart(1)
  for (const dock of docks) {
    expect([await endOf(both, dock), await endOf(old, dock)]).toEqual(['completed', 'completed'])
  }

  // A dock that is away meanwhile finds its way when it is back.
  await fleet.dock('dock2').worker.stop()
  expect(await rotate('drop')).toMatch(/^version 3: [\w-]{43}; restart/)
  for (const index of [0, 1]) await restart(index)
  fleet.dock('dock2').launch()
  await fleet.docksReady()
  for (const hostname of docks) await create(fleet, { hostname })
  // Also by a dock that has no reason to ask for other keys, since it knew both.
  for (const dock of docks)
    await eventually(async () => expect(await endOf(old, dock)).toBe('failed bad_signature'), undefined, {
      within: 15_000,
    })
  expect(await Promise.all(docks.map((dock) => endOf(both, dock)))).toEqual(['completed', 'completed'])
}, 120_000)

test('a replica with other keys does not start, and tells both fingerprints in one line', async () => {
  const other = await mkdtemp(join(runFolder(), 'rotation-'))
  const env = { REDIS_URL: fleet.redisUrl, DEBLOX_PREFIX: fleet.prefix, DEBLOX_STATE_DIR: other, HOST: '127.0.0.1' }
  const api = startProgram('api', { ...env, AUTH: 'off', PORT: '0' })
  await api.waitForLine(/DEBLOX_SIGNING_KEYS/)
  const own = keysFrom(await readFile(join(other, 'api-keys.json'), 'utf8')).set.keys[0]?.kid
  const [line] = api.lines.filter((one) => one.includes('DEBLOX_SIGNING_KEYS'))
  for (const kid of [own, (await keysNow()).set.keys[0]?.kid]) expect(line).toContain(kid)
  expect(await api.exited).toMatchObject({ code: 1 })
  await rm(other, { recursive: true })
}, 30_000)
