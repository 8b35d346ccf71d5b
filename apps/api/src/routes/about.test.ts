import type { Fleet } from '@deblox/fleet/fleet'
import { useJobsDesk } from '../../../../test/support/jobs-desk'
import type { Admission } from '../admission'
import type { About, Route } from '../route'
import { action, caller, fleetDouble } from '../testing/desk-double'
import { dockRoutes } from './docks'
import { templateRoutes } from './templates'
import { tokenRoutes } from './tokens'

/** What the audit was told of a request, and what its work was told before it began. */
async function told(routes: Route[], method: string, path: string, fields: object, about: About = {}): Promise<About> {
  const route = routes.find((one) => one.method === method && one.path === path)
  await route?.handle({ ...fields }, caller({ about })).catch((error: unknown) => {
    if (error !== away) throw error
  })
  return about
}

const away = new Error('Redis is away')
const fail = async () => {
  throw away
}

test('of a token it is told for whom it was asked, and which one was made or revoked', async () => {
  const tokens = { create: fail, list: fail, get: fail, revoke: fail }
  const wanted = { subject: 'mallory', role: 'admin' }
  await expect(told(tokenRoutes(tokens), 'POST', '/v1/tokens', wanted)).resolves.toEqual({ object: 'mallory' })
  const create = async () => ({ token: 'secret', view: { id: '0123' } }) as never
  await expect(told(tokenRoutes({ ...tokens, create }), 'POST', '/v1/tokens', wanted)).resolves.toEqual({
    object: '0123',
  })
  await expect(told(tokenRoutes(tokens), 'DELETE', '/v1/tokens/:id', { id: '4567' })).resolves.toEqual({
    object: '4567',
  })
})

test.each(['PUT', 'DELETE'])('of a template it is told which one: %s', async (method) => {
  const routes = templateRoutes(
    { templates: { put: fail, delete: fail } } as unknown as Fleet,
    {
      template: async () => {},
    } as unknown as Admission,
  )
  await expect(told(routes, method, '/v1/templates/:name', { name: 'web' })).resolves.toEqual({ object: 'web' })
})

test('of a change to a dock it is told which one', async () => {
  const routes = dockRoutes({ docks: { patch: fail } } as unknown as Fleet)
  const fields = { hostname: 'dock-1', drain: true }
  await expect(told(routes, 'PATCH', '/v1/docks/:hostname', fields)).resolves.toEqual({ dock: 'dock-1' })
})

test.each<[string, object, About]>([
  ['register', { hostname: 'dock-9' }, { dock: 'dock-9' }],
  ['unregister', { hostname: 'dock-9' }, { dock: 'dock-9' }],
  ['pull-image', { hostname: 'dock-a', image: 'busybox' }, { dock: 'dock-a', object: 'busybox' }],
  ['delete-image', { hostname: 'dock-a', image: 'busybox' }, { dock: 'dock-a', object: 'busybox' }],
  ['create-container', { image: 'busybox' }, { object: 'busybox' }],
  ['create-container', { image: 'busybox', name: 'web', hostname: 'dock-a' }, { dock: 'dock-a', object: 'web' }],
  ['list-containers', { hostname: 'dock-a' }, { dock: 'dock-a' }],
])('of %s %j it is told what it names, also where it is refused', async (name, request, names) => {
  const { submit, records } = fleetDouble()
  const admin = caller()
  await submit(action(name), request, admin)
  expect(admin.about).toEqual({ permission: name, job: records()[0]?.id, ...names })
  const auditor = caller({ role: 'auditor' })
  await expect(submit(action(name), request, auditor)).rejects.toMatchObject({ code: 'forbidden' })
  expect(auditor.about).toMatchObject(names)
})

describe('of a job', () => {
  const { desk, accepted, halfDone } = useJobsDesk()

  test.each(['show', 'cancel', 'retry'] as const)(
    '%s: it is told which one, and not as if its action were done',
    async (what) => {
      const { id } = await (what === 'cancel' ? accepted() : halfDone())
      const about: About = {}
      await desk()[what](id, { about })
      expect(about).toEqual({ job: id })
    },
  )
})
