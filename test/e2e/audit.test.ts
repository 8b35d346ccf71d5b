import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fleetKeys } from '@deblox/fleet/names'
import { eventually } from '../support/eventually'
import { GuardedFleet } from '../support/guarded-fleet'
import { send } from '../support/http'
import { repository } from '../support/repository'

const prefix = 'audit'
const keys = fleetKeys(prefix)

interface Entry {
  at: string
  who: string | null
  via: string | null
  role: string | null
  permission: string
  object: string | null
  dock: string | null
  job: string | null
  address: string | null
  requestId: string | null
  decision: 'allow' | 'deny'
  status: number | null
  code?: string
  prev: string
  hash: string
}

let fleet: GuardedFleet

beforeAll(async () => {
  fleet = await GuardedFleet.start(prefix, 2)
  await fleet.startWorker('dock1')
}, 60_000)

afterAll(() => fleet.stop(), 60_000)

/** All that is exported, page by page. */
async function exported(query = ''): Promise<{ text: string; entries: Entry[] }> {
  let text = ''
  for (let cursor: string | null = ''; cursor !== null;) {
    const { status, headers, body } = await fleet.ask(
      'GET',
      `/v1/audit?limit=7${query}${cursor && `&cursor=${cursor}`}`,
    )
    expect({ status, type: headers.get('content-type') }).toEqual({
      status: 200,
      type: expect.stringMatching(/^application\/x-ndjson/),
    })
    text += body
    cursor = headers.get('deblox-next-cursor')
  }
  const entries = text.split('\n').flatMap((line) => (line === '' ? [] : (JSON.parse(line) as Entry)))
  return { text, entries }
}

const entryOf = (requestId: string): Promise<Entry> =>
  eventually(async () => {
    const found = (await exported()).entries.find((entry) => entry.requestId === requestId)
    if (!found) throw new Error(`no entry of ${requestId}`)
    return found
  })

/** Runs the command as an operator does. */
function verify(...args: string[]): Promise<{ code: number; out: string }> {
  const { PATH = '' } = process.env
  return new Promise((resolve) => {
    const command = [join(repository, 'apps/api/dist/audit-verify.js'), ...args]
    execFile(process.execPath, command, { env: { PATH, ...fleet.env } }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, out: stdout + stderr }),
    )
  })
}

test('what was allowed is there: who did what to which container, where, by which job, and from where', async () => {
  const anna = await fleet.somebody('anna', 'deployer')
  const made = await fleet.ask(
    'POST',
    '/v1/containers',
    { image: 'busybox', name: 'web', hostname: 'dock1' },
    { ...anna, 'X-Request-Id': 'made-1' },
  )
  expect(made.status).toBe(201)
  expect(await entryOf('made-1')).toMatchObject({
    at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    who: 'anna',
    via: 'token',
    role: 'deployer',
    permission: 'create-container',
    job: made.body.job.id,
    address: '127.0.0.1',
    decision: 'allow',
    status: 201,
  })
  const id = made.body.containers[0].id as string
  await eventually(async () =>
    expect((await fleet.ask('GET', `/v1/containers/${id}`, undefined, anna)).status).toBe(200),
  )
  await fleet.ask('POST', `/v1/containers/web/start`, undefined, { ...anna, 'X-Request-Id': 'started-1' })
  expect(await entryOf('started-1')).toMatchObject({
    who: 'anna',
    permission: 'start-container',
    object: id,
    dock: 'dock1',
  })
})

test('what was denied is there: strangers, those without the right, and what is somebody else’s', async () => {
  const [vera, ben] = [await fleet.somebody('vera', 'viewer'), await fleet.somebody('ben', 'operator')]
  await send(`${fleet.api.url}/v1/containers`, 'GET', undefined, { 'X-Request-Id': 'denied-1' })
  expect(await entryOf('denied-1')).toMatchObject({ who: null, decision: 'deny', status: 401, code: 'unauthenticated' })
  await fleet.ask('GET', '/v1/audit', undefined, { ...vera, 'X-Request-Id': 'denied-2' })
  expect(await entryOf('denied-2')).toMatchObject({
    who: 'vera',
    decision: 'deny',
    status: 403,
    code: 'forbidden',
    permission: 'GET /v1/audit',
  })
  await fleet.ask('POST', '/v1/containers/web/stop', undefined, { ...ben, 'X-Request-Id': 'denied-3' })
  expect(await entryOf('denied-3')).toMatchObject({
    who: 'ben',
    decision: 'deny',
    status: 404,
    permission: 'stop-container',
  })
})

test('auditors may read it, and it is on standard output as well, at once', async () => {
  const auditor = await fleet.somebody('otto', 'auditor')
  expect((await fleet.ask('GET', '/v1/audit?limit=1', undefined, auditor)).status).toBe(200)
  const line = await fleet.api.process.waitForLine(/"who":"otto".*"permission":"GET \/v1\/audit"/)
  expect(JSON.parse(line)).toMatchObject({ audit: true, decision: 'allow', status: 200 })
})

test('both replicas write one chain, which verifies as it is in Redis and as it was exported', async () => {
  const ask = (n: number) =>
    fleet.ask('GET', '/v1/docks', undefined, { 'X-Request-Id': `many-${n}` }, fleet.apis[n % 2])
  await Promise.all(Array.from({ length: 100 }, (_, n) => ask(n)))
  const look = async () => (await exported()).entries.filter(({ requestId }) => requestId?.startsWith('many-')).length
  await eventually(look, (count) => count === 100)
  const file = join(fleet.state, 'audit.ndjson')
  const { text, entries } = await exported()
  await writeFile(file, text)
  expect(await verify(file)).toEqual({
    code: 0,
    out: `whole: ${entries.length} decisions, head ${entries.at(-1)?.hash}\n`,
  })
  const inRedis = await verify('--head', entries[3]?.hash ?? '')
  expect(inRedis).toEqual({ code: 0, out: expect.stringMatching(/^whole: \d+ decisions, head /) })
  expect(await verify('--head', 'elsewhere', file)).toMatchObject({
    code: 2,
    out: expect.stringMatching(/^broken at the end/),
  })
})

test('a part of it verifies by itself, and nothing of it holds a secret', async () => {
  const { entries } = await exported()
  const since = entries[5]?.at ?? ''
  const part = await exported(`&since=${since}`)
  expect(part.entries.map(({ hash }) => hash)).not.toContain(entries[0]?.hash)
  expect(part.entries.map(({ hash }) => hash)).toContain(entries.at(-1)?.hash)
  const file = join(fleet.state, 'part.ndjson')
  await writeFile(file, part.text)
  expect(await verify(file)).toMatchObject({ code: 0 })
  expect(part.text).not.toMatch(/dbx_[0-9a-f]{16}_/)
})

test('what a dock refused is there, and counted', async () => {
  const data = JSON.stringify({ body: '{}', sig: 'e30..AAAA' })
  const key = `${prefix}:deblox.docker.dock1`
  await fleet.redis
    .multi()
    .hset(`${key}:forged.1`, 'name', 'stop-container', 'data', data, 'opts', '{}', 'timestamp', '0')
    .lpush(`${key}:wait`, 'forged.1')
    .zadd(`${key}:marker`, 0, '0')
    .exec()
  await eventually(
    async () => {
      const refused = (await exported()).entries.find(({ code }) => code === 'bad_signature')
      expect(refused).toMatchObject({ via: 'worker', who: null, dock: 'dock1', decision: 'deny' })
    },
    undefined,
    { within: 20_000 },
  )
  const figures = await Promise.all(
    fleet.apis.map(async (api) => (await fleet.ask('GET', '/metrics', undefined, {}, api)).body as string),
  )
  expect(figures.join('\n')).toMatch(/^deblox_dock_refusals_total\{code="bad_signature"\} [1-9]/m)
  expect(figures.join('\n')).toMatch(/^deblox_denied_total\{code="forbidden"\} [1-9]/m)
}, 30_000)

test('a replica that stops while Redis is away tells how many decisions only its log has, and there they are', async () => {
  const api = await fleet.startApi()
  await fleet.server.pause()
  await send(`${api.url}/v1/containers`, 'GET', undefined, { 'X-Request-Id': 'last-words' })
  await api.process.stop()
  fleet.server.resume()
  const lines = api.process.lines.join('\n')
  expect(lines).toMatch(/"audit":true.*"requestId":"last-words"/)
  expect(lines).toMatch(/"code":"audit_failed","left":1/)
}, 30_000)

test('an entry that somebody has changed in Redis is named', async () => {
  const all = await fleet.redis.xrange(keys.audit, '-', '+')
  const at = all.findIndex(([, [, text = '']]) => text.includes('denied-2'))
  const rewritten = fleet.redis.multi().del(keys.audit)
  for (const [n, [id, [, text = '', , hash = '']]] of all.entries()) {
    rewritten.xadd(keys.audit, id, 'entry', n === at ? text.replace('vera', 'eve') : text, 'hash', hash)
  }
  await rewritten.exec()
  const { code, out } = await verify()
  expect(code).toBe(2)
  expect(out).toMatch(new RegExp(`^broken at line ${at + 1}: expected the hash of this entry`))
  expect(out).toContain('"who":"eve"')
})

test('without the keys of the API nobody can say', async () => {
  const elsewhere = { ...fleet.env, DEBLOX_STATE_DIR: join(fleet.state, 'elsewhere') }
  const out = await new Promise<string>((resolve) => {
    execFile(process.execPath, [join(repository, 'apps/api/dist/audit-verify.js')], { env: elsewhere }, (_, __, told) =>
      resolve(told),
    )
  })
  expect(out).toMatch(/^deblox audit-verify: DEBLOX_SIGNING_KEYS: expected the keys of the API, got no file [^\n]*\n$/)
})

test.each([
  ['limit=0', 'limit'],
  ['limit=10001', 'limit'],
  ['since=yesterday', 'since'],
  ['cursor=-', 'cursor'],
  ['cursor=1-1%20%2B', 'cursor'],
  ['since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z', 'until'],
])('?%s is refused', async (query, field) => {
  const { status, body } = await fleet.ask('GET', `/v1/audit?${query}`)
  expect({ status, body }).toMatchObject({
    status: 400,
    body: { code: 'invalid_request', detail: expect.stringMatching(`^${field}: `) },
  })
})
