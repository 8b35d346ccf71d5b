import { createSecretKey } from 'node:crypto'
import type { Role } from '@deblox/actions/access/policies'
import { grantsOf } from '@deblox/fleet/grants'
import type { IndexedRow } from '@deblox/fleet/index'
import { useFleet } from '../../../../test/support/fleet-on-redis'
import { accessTo } from '../access'
import { caller } from '../testing/desk-double'
import { grantRoutes } from './grants'

const use = useFleet()
const id = 'ab'.repeat(32)

const row: IndexedRow = {
  id,
  name: 'web',
  dock: 'dock-1',
  image: 'busybox',
  state: 'running',
  status: 'Up',
  owner: 'anna',
  labels: {},
  createdAt: '',
  observedAt: '',
}

beforeEach(async () => {
  await use.fleet().docks.register('dock-1')
  await use.fleet().index.write('dock-1', [row, { ...row, id: 'cd'.repeat(32), name: 'other', owner: 'zoe' }], [])
})

const as = (subject: string, role: Role = 'deployer', teams: string[] = [], scopes?: string[]) =>
  caller({ identity: { subject, role, teams, ...(scopes && { scopes }) } })
const anna = as('anna', 'deployer', ['ops'])

interface Given {
  id: string
  on: object
}

async function ask(path: string, method: string, fields: object, who = anna): Promise<unknown> {
  const grants = grantsOf(use.redis(), use.fleet().keys, createSecretKey(Buffer.alloc(32, 1)))
  const routes = grantRoutes(
    grants,
    accessTo(use.fleet().index, () => grants.all()),
  )
  const route = routes.find((one) => one.path === path && one.method === method)
  return (await route?.handle({ ...fields }, who))?.body
}

const give = (fields: object, who = anna) =>
  ask('/v1/grants', 'POST', { to: 'ben', may: ['stop-container'], ...fields }, who) as Promise<Given>
const listed = async (who = anna) => ((await ask('/v1/grants', 'GET', {}, who)) as { items: Given[] }).items
const forbidden = { code: 'forbidden', status: 403 }

test('is given on one container of one’s own, by its full id, and ends with one’s ownership', async () => {
  const given = await give({ on: { container: 'web' } })
  expect(given.on).toEqual({ container: id, owner: 'anna' })
  for (const who of [anna, as('ben'), as('root', 'admin')]) expect(await listed(who)).toEqual([given])
  expect(await listed(as('carl'))).toEqual([])
})

test('is given on all of one’s own or a team’s, never on others’', async () => {
  expect((await give({ on: { labels: { app: 'web' } } })).on).toEqual({ labels: { app: 'web' }, owner: 'anna' })
  expect((await give({ on: { owner: 'team:ops' } })).on).toEqual({ owner: 'team:ops' })
  await expect(give({ on: { owner: 'zoe' } })).rejects.toMatchObject(forbidden)
  await expect(give({ on: { container: 'other' } })).rejects.toMatchObject({ code: 'container_not_found' })
  expect((await give({ on: { owner: 'zoe' } }, as('root', 'admin'))).on).toEqual({ owner: 'zoe' })
})

test('an admin’s on one container ends with its ownership, too', async () => {
  expect((await give({ on: { container: 'web' } }, as('root', 'admin'))).on).toEqual({ container: id, owner: 'anna' })
})

test('nobody gives what he has not, nor to himself', async () => {
  const on = { container: 'web' }
  await expect(give({ on, to: 'anna' })).rejects.toMatchObject(forbidden)
  const narrow = as('anna', 'deployer', [], ['POST /v1/grants', 'transfer-container'])
  await expect(give({ on }, narrow)).rejects.toMatchObject(forbidden)
  await expect(give({ on, may: ['delete-container'] }, as('anna', 'operator'))).rejects.toMatchObject(forbidden)
})

test('is taken back by who gave it, by the owner or an admin, and by nobody else', async () => {
  for (const who of [anna, as('root', 'admin')]) {
    const { id: grant } = await give({ on: { owner: 'anna' } })
    await expect(ask('/v1/grants/:id', 'DELETE', { id: grant }, as('ben'))).rejects.toMatchObject(forbidden)
    await expect(ask('/v1/grants/:id', 'DELETE', { id: grant }, as('carl'))).rejects.toMatchObject({
      code: 'grant_not_found',
    })
    await ask('/v1/grants/:id', 'DELETE', { id: grant }, who)
    expect(await listed()).toEqual([])
  }
})

test.each(['transfer-container', 'create-container', 'GET /v1/audit'])('%s cannot be granted', (permission) => {
  const [route] = grantRoutes({} as never, {} as never)
  const { error } = route?.request.validate({ to: 'ben', may: [permission], on: { owner: 'anna' } }) ?? {}
  expect(error?.message).toContain('may[0]')
})
