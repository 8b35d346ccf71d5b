import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { eventually } from '../support/eventually'
import { type Fleet, startFleet } from '../support/fleet'
import type { Reply } from '../support/http'
import { type RedisServer, startRedis } from '../support/redis'
import { inspect, type Made } from './containers'
import { ended, jobIn } from './jobs'

let redis: RedisServer
let fleet: Fleet
/** All that the API has answered. */
const answers: string[] = []

const canaries = Array.from({ length: 50 }, (_, n) =>
  createHash('sha256').update(`canary ${n}`).digest('hex').slice(0, 24),
)
let used = 0
const canary = (): string => canaries[used++ % canaries.length] as string

beforeAll(async () => {
  redis = await startRedis()
  fleet = await startFleet({ docks: 2, apis: 2, redisUrl: redis.url, env: { LOG_LEVEL: 'trace' }, auth: true })
}, 60_000)

afterAll(async () => {
  await fleet.stop()
  await redis.remove()
}, 60_000)

async function ask(method: string, path: string, body?: object, headers: Record<string, string> = {}): Promise<Reply> {
  const reply = await fleet.request(fleet.api, method, path, body, headers)
  answers.push(JSON.stringify([reply.status, [...reply.headers], reply.body]))
  return reply
}

/** What workers have logged that were stopped. */
const earlier: string[] = []

async function stop(hostname: string): Promise<void> {
  const { worker } = fleet.dock(hostname)
  await worker.stop()
  earlier.push(...worker.lines)
}

const made = ({ status, body }: Reply): Made[] => {
  expect({ status, body }).toMatchObject({ status: 201 })
  return (body as { containers: Made[] }).containers
}

const envOf = async (container: Made): Promise<string[]> => (await inspect(fleet, container)).Config.Env

test('a container has its secrets, wherever it was made, and nobody is shown them', async () => {
  const [one, two] = [canary(), canary()]
  const body = { image: 'busybox', env: { OPEN: 'seen', TOKEN: 'gone over' }, secrets: { PASSWORD: one, TOKEN: two } }
  const [anywhere] = made(await ask('POST', '/v1/containers', body)) as [Made]
  expect(await envOf(anywhere)).toEqual(expect.arrayContaining(['OPEN=seen', `PASSWORD=${one}`, `TOKEN=${two}`]))
  expect((await envOf(anywhere)).filter((entry) => entry.startsWith('TOKEN='))).toHaveLength(1)
  const shown = (await ask('GET', `/v1/containers/${anywhere.id}`)).body as { Config: { Env: string[] } }
  expect(shown.Config.Env).toEqual(expect.arrayContaining(['OPEN=seen', 'PASSWORD=***', 'TOKEN=***']))
})

test('so have several on different docks, one that goes to a dock by name, and a raw one', async () => {
  const [one, two, three] = [canary(), canary(), canary()]
  const several = made(await ask('POST', '/v1/containers', { image: 'busybox', instances: 4, secrets: { A: one } }))
  expect(new Set(several.map(({ dock }) => dock)).size).toBe(2)
  for (const container of several) expect(await envOf(container)).toContain(`A=${one}`)
  const named = { image: 'busybox', hostname: 'dock2', name: 'named', secrets: { A: two } }
  expect(await envOf(made(await ask('POST', '/v1/containers', named))[0] as Made)).toContain(`A=${two}`)
  const raw = { body: { Image: 'busybox' }, secrets: { A: three } }
  expect(await envOf(made(await ask('POST', '/v1/containers/raw', raw))[0] as Made)).toContain(`A=${three}`)
})

test('a request that is repeated makes nothing more, and one that is changed in its secret alone is another', async () => {
  const request = (secret: string) =>
    ask('POST', '/v1/containers', { image: 'busybox', secrets: { A: secret } }, { 'Idempotency-Key': 'once' })
  const [one, two] = [canary(), canary()]
  const [first, again] = [made(await request(one)), made(await request(one))]
  expect(again).toEqual(first)
  expect(await request(two)).toMatchObject({ status: 422 })
})

test('what fails, waits, is cancelled or tried again keeps its secrets to itself', async () => {
  const image = 'nowhere.invalid/none'
  for (let n = 0; n < 8; n++) {
    const registryAuth = { username: 'puller', password: canary() }
    const request = { image, registryAuth, secrets: { A: canary() }, pull: 'always', hostname: 'dock1' }
    const { status, body } = await ask('POST', '/v1/containers', request)
    expect({ status, body }).toMatchObject({ body: { code: 'docker_error' } })
  }
  const pulled = await ask('POST', '/v1/docks/dock1/images', {
    image,
    registryAuth: { username: 'puller', password: canary() },
  })
  expect(pulled.status).toBeGreaterThanOrEqual(400)
  const failing = { image: 'busybox', cmd: ['/no/such'], start: true, hostname: 'dock2', secrets: { A: canary() } }
  const failed = jobIn(await ask('POST', '/v1/containers', failing, { Prefer: 'respond-async' }))
  expect(await ended(fleet, failed)).toMatchObject({ state: 'failed' })
  const retried = jobIn(await ask('POST', `/v1/jobs/${failed}/retry`, {}, { Prefer: 'respond-async' }))
  // It can open what was sealed for the first try: the container that this one made is there, and does not start either.
  expect(await ended(fleet, retried)).toMatchObject({ error: { code: 'docker_error' } })
  await stop('dock2')
  const waiting = { image: 'busybox', hostname: 'dock2', secrets: { A: canary() } }
  const id = jobIn(await ask('POST', '/v1/containers', waiting, { Prefer: 'respond-async' }))
  await ask('POST', `/v1/jobs/${id}/cancel`)
  fleet.dock('dock2').launch()
  await fleet.docksReady()
}, 60_000)

test('a request that is wrong is not answered with what it holds', async () => {
  const wrong = [
    { image: 'busybox', secrets: { A: [canary()] } },
    { image: 'busybox', secrets: canary() },
    { image: 'busybox', secrets: { 'A=B': canary() } },
    { image: 'busybox', secrets: { [canary()]: 5 } },
    { image: 'busybox', registryAuth: canary() },
    { image: 'busybox', registryAuth: { username: 'a', password: { is: canary() } } },
    { image: 'busybox', registryAuth: { username: 'a', passwort: canary() } },
    { image: 'busybox', name: '/', secrets: { A: canary() } },
    { image: 'busybox', instances: 0, secrets: { A: canary() } },
    { image: 'busybox', hostname: 'nowhere', secrets: { A: canary() } },
  ]
  for (const body of wrong)
    expect(await ask('POST', '/v1/containers', body)).toMatchObject({ status: expect.any(Number) })
  expect(
    (await ask('POST', '/', { action: 'create-container', image: 'busybox', secrets: { A: canary() } })).status,
  ).toBe(200)
  const template = { image: 'busybox', secrets: { A: canary() } }
  expect((await ask('PUT', '/v1/templates/secret', template)).status).toBe(400)
})

test('no dock that is not to open them can: without any that is ready there is no job', async () => {
  await Promise.all(fleet.docks.map(({ hostname }) => stop(hostname)))
  await eventually(async () => {
    const { body } = await ask('POST', '/v1/containers', { image: 'busybox', secrets: { A: canary() } })
    expect(body).toMatchObject({ code: 'no_dock_ready' })
  })
  for (const dock of fleet.docks) dock.launch()
  await fleet.docksReady()
}, 60_000)

test('of 50 secrets none is in Redis’s files, in logs, on the job board, in answers, in the audit', async () => {
  while (used < canaries.length) {
    const few = { image: 'busybox', secrets: { A: canary(), B: canary() } }
    made(await ask('POST', '/v1/containers', few))
  }
  for (const path of ['/v1/jobs?limit=200', '/v1/audit', '/metrics', '/v1/containers?limit=1000', '/v1/docks'])
    await ask('GET', path)
  for (const topic of ['deblox.docker', 'deblox.docker.dock1', 'deblox.docker.dock2'])
    for (const status of ['completed', 'failed', 'latest'])
      await ask('GET', `/jobs/api/queues?activeQueue=${topic}&status=${status}&jobsPerPage=100`)
  const places: Record<string, string> = {
    answers: answers.join('\n'),
    'the logs of the API': fleet.apis.flatMap(({ process }) => process.lines).join('\n'),
    'the logs of the workers': [earlier, ...fleet.docks.map(({ worker }) => worker.lines)].flat().join('\n'),
    Redis: await allOfRedis(),
    'files of Redis': await filesOf(redis.folder),
  }
  for (const [place, text] of Object.entries(places)) {
    // What is not there cannot be found: each of them holds what it should.
    expect([place, text.length > 1_000]).toEqual([place, true])
    expect([place, canaries.filter((one) => formsOf(one).some((form) => text.includes(form)))]).toEqual([place, []])
  }
  expect(used).toBeGreaterThanOrEqual(50)
}, 60_000)

/** As it is, and as it stands within base64 of a longer text, wherever it begins there. */
function formsOf(secret: string): string[] {
  const inside = [0, 1, 2].map((before) => {
    const encoded = Buffer.from('x'.repeat(before) + secret).toString('base64url')
    return encoded.slice(before === 0 ? 0 : before + 1, -4)
  })
  return [secret, ...inside, Buffer.from(secret).toString('hex')]
}

/** Everything that Redis holds now, as its own dump has it. */
async function allOfRedis(): Promise<string> {
  const keys = await fleet.redis.keys('*')
  const dumps = await Promise.all(keys.map((key) => fleet.redis.dumpBuffer(key)))
  return dumps.map((dump) => dump?.toString('latin1') ?? '').join('\n') + keys.join('\n')
}

async function filesOf(folder: string): Promise<string> {
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((file) => file.isFile())
  return (await Promise.all(files.map((file) => readFile(join(file.parentPath, file.name), 'latin1')))).join('\n')
}
