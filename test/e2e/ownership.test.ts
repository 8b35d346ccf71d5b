import { bearer, type Fleet, startFleet } from '../support/fleet'
import { eventually } from '../support/eventually'
import { create, listed, type Made } from './containers'

let fleet: Fleet
let anna: Record<string, string>
let ben: Record<string, string>

beforeAll(async () => {
  fleet = await startFleet({ docks: 2, apis: 2, auth: true })
  anna = await identity('anna', 'deployer', ['ops'])
  ben = await identity('ben', 'deployer')
}, 60_000)
afterAll(() => fleet.stop())

async function identity(subject: string, role: string, teams: string[] = []): Promise<Record<string, string>> {
  const { status, body } = await ask({}, 'POST', '/v1/tokens', { subject, role, teams })
  expect(status).toBe(201)
  return bearer((body as { token: string }).token)
}

const ask = (who: Record<string, string>, method: string, path: string, body?: object, api = fleet.api) =>
  fleet.request(api, method, path, body, who)

/** A container of somebody's, made over the API. */
async function makeAs(who: Record<string, string>, fields: object = {}): Promise<Made> {
  const { status, body } = await ask(who, 'POST', '/v1/containers', { image: 'busybox', cmd: 'sleep 600', ...fields })
  expect({ status, body }).toMatchObject({ status: 201 })
  return (body as { containers: [Made] }).containers[0]
}

const engineOf = ({ dock }: Pick<Made, 'dock'>) => fleet.dock(dock).engine.docker
const ownerOf = async (id: string) =>
  (await listed(fleet)).find((row) => row.id === id) as { owner?: string | null } | undefined

test('what somebody makes is his, on every replica, in every list, and nobody else’s', async () => {
  const { id } = await makeAs(anna, { name: 'of-anna', start: true })
  for (const api of fleet.apis) {
    expect(await ask(ben, 'GET', `/v1/containers/${id}`, undefined, api)).toMatchObject({ status: 404 })
    expect(await ask(anna, 'GET', `/v1/containers/${id}`, undefined, api)).toMatchObject({ status: 200 })
  }
  expect(await ask(ben, 'POST', `/v1/containers/of-anna/stop`)).toMatchObject({ status: 404 })
  for (const path of ['/v1/containers', '/v1/docks/dock1/containers', '/v1/docks/dock2/containers']) {
    expect(JSON.stringify((await ask(ben, 'GET', path)).body)).not.toContain(id)
  }
  expect(await ask(anna, 'POST', `/v1/containers/of-anna/stop`, { timeout: 0 })).toMatchObject({ status: 200 })
})

test('an owner that somebody wrote on a container by hand is not believed', async () => {
  const own = await makeAs(anna, { name: 'real' })
  const { Config } = await engineOf(own).getContainer(own.id).inspect()
  const forged = await engineOf(own).createContainer({
    Image: 'busybox',
    name: 'forged',
    Labels: {
      'deblox.owner': 'anna',
      'deblox.sig': Config.Labels['deblox.sig'] ?? '',
      'deblox.job': 'x',
      'deblox.slot': '1',
    },
  })
  await eventually(
    () => ownerOf(forged.id),
    (row) => row !== undefined,
    { within: 10_000 },
  )
  expect(await ownerOf(forged.id)).toMatchObject({ owner: null })
  expect(await ask(anna, 'DELETE', '/v1/containers/forged')).toMatchObject({ status: 404 })
})

test('an admin adopts what was made past Deblox, and gives it to a team', async () => {
  const made = await fleet.dock('dock1').engine.docker.createContainer({ Image: 'busybox', name: 'stranger' })
  await eventually(
    () => ownerOf(made.id),
    (row) => row !== undefined,
    { within: 10_000 },
  )
  expect(await ask(anna, 'GET', '/v1/containers/stranger')).toMatchObject({ status: 404 })
  const given = await ask({}, 'POST', '/v1/containers/stranger/transfer', { owner: 'team:ops' })
  expect(given).toMatchObject({ status: 200 })
  expect(await ask(anna, 'GET', '/v1/containers/stranger')).toMatchObject({ status: 200 })
  expect(await ask(ben, 'GET', '/v1/containers/stranger')).toMatchObject({ status: 404 })

  // The dock itself keeps it, whatever becomes of Redis's index.
  const dock = fleet.dock('dock1')
  await dock.worker.stop()
  dock.launch()
  await fleet.docksReady()
  expect(await ownerOf(made.id)).toMatchObject({ owner: 'team:ops' })
})

test('who gives a container away has it no longer: one to a team of his, an admin any to anybody', async () => {
  const { id } = await makeAs(anna)
  const give = (who: Record<string, string>, owner: string) =>
    ask(who, 'POST', `/v1/containers/${id}/transfer`, { owner })
  expect(await give(anna, 'ben')).toMatchObject({ status: 403 })
  expect(await give({}, 'ben')).toMatchObject({ status: 200 })
  expect(await ask(anna, 'GET', `/v1/containers/${id}`)).toMatchObject({ status: 404 })
  expect(await ask(ben, 'DELETE', `/v1/containers/${id}`)).toMatchObject({ status: 200 })
})

test('a grant allows what it names, on every replica, until it is taken back', async () => {
  const { id } = await makeAs(anna, { name: 'shared', start: true })
  const grant = await ask(anna, 'POST', '/v1/grants', {
    to: 'ben',
    may: ['restart-container'],
    on: { container: 'shared' },
  })
  expect(grant).toMatchObject({ status: 201, body: { on: { container: id, owner: 'anna' } } })
  const [, other] = fleet.apis
  const restart = () => ask(ben, 'POST', '/v1/containers/shared/restart', { timeout: 0 }, other)
  await eventually(restart, ({ status }) => status === 200, { within: 5_000 })
  expect(await ask(ben, 'DELETE', '/v1/containers/shared')).toMatchObject({ status: 403, body: { code: 'forbidden' } })
  expect(await ask(ben, 'DELETE', `/v1/grants/${(grant.body as { id: string }).id}`)).toMatchObject({
    status: 403,
  })
  await ask(anna, 'DELETE', `/v1/grants/${(grant.body as { id: string }).id}`)
  await eventually(restart, ({ status }) => status === 404, { within: 5_000 })
})

test('an index that somebody has written to gains him nothing: the dock looks itself', async () => {
  const { id, dock } = await makeAs(anna, { name: 'target' })
  const key = `${fleet.prefix}:containers:${dock}`
  const row = JSON.parse((await fleet.redis.hget(key, id)) ?? '') as object
  await fleet.redis.hset(key, id, JSON.stringify({ ...row, owner: 'ben' }))
  const { status, body } = await ask(ben, 'DELETE', `/v1/containers/${id}`)
  expect({ status, body }).toMatchObject({
    status: 403,
    body: { code: 'forbidden', detail: expect.stringContaining('nothing was done') },
  })
  expect(await engineOf({ dock }).getContainer(id).inspect()).toMatchObject({ Name: '/target' })
})

test('whoever writes to Redis has no container removed, by claims or by what is to be undone', async () => {
  const { id, dock } = await makeAs(anna, { name: 'kept', hostname: 'dock2' })
  const { Config } = await engineOf({ dock }).getContainer(id).inspect()
  const job = Config.Labels['deblox.job'] ?? ''
  await fleet.redis.hset(`${fleet.prefix}:placement:${job}:1`, { hostname: 'nowhere', epoch: 9 })
  await fleet.redis.sadd(`${fleet.prefix}:rollbacks`, job)
  await eventually(
    () => fleet.redis.scard(`${fleet.prefix}:rollbacks`),
    (left) => left === 0,
    { within: 10_000 },
  )
  // At its return a dock removes at once what is not its own any more.
  const { worker } = fleet.dock(dock)
  await worker.kill()
  fleet.dock(dock).launch()
  await fleet.docksReady()
  expect(await ask(anna, 'POST', '/v1/containers/kept/start')).toMatchObject({ status: 200 })
  expect(await engineOf({ dock }).getContainer(id).inspect()).toMatchObject({ Name: '/kept' })
}, 60_000)

test('a quota holds over the whole fleet, however many ask at once', async () => {
  const carl = await identity('carl', 'deployer')
  const allowance = { rules: { profile: 'restricted' }, quota: { containers: 3 } }
  expect(await ask({}, 'PUT', '/v1/owners/carl', allowance)).toMatchObject({ status: 200 })
  const asked = await Promise.all(
    fleet.apis.flatMap((api) =>
      Array.from({ length: 5 }, () => ask(carl, 'POST', '/v1/containers', { image: 'busybox' }, api)),
    ),
  )
  const statuses = asked.map(({ status }) => status).sort((one, other) => one - other)
  expect(statuses).toEqual([201, 201, 201, 403, 403, 403, 403, 403, 403, 403])
  expect(asked.find(({ status }) => status === 403)).toMatchObject({ body: { code: 'quota_exceeded' } })
  expect((await ask(carl, 'GET', '/v1/owners/carl')).body).toMatchObject({ containers: 3 })
})

test('each of these was written down for the audit', async () => {
  const { body } = await ask({}, 'GET', '/v1/audit?limit=1000')
  const entries = String(body)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { entry?: object })
  expect(entries.length).toBeGreaterThan(20)
  expect(String(body)).toContain('"who":"ben"')
  expect(await create(fleet)).toMatchObject({ dock: expect.stringMatching(/^dock/) })
})
