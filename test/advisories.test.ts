import { createHash } from 'node:crypto'
import { policies } from '@deblox/actions/access/policies'
import { actions } from '@deblox/actions/registry'
import Joi from 'joi'
import { pino } from 'pino'
import { createApp } from '../apps/api/src/app'
import { takesBody, type Route } from '../apps/api/src/route'
import { askers, bodyOf, roleOf } from '../apps/api/src/testing/matrix'
import { openGate } from '../apps/api/src/testing/open-gate'
import { useGuardedApi } from './support/guarded-api'
import { requestsTo } from './support/registry-requests'

/** The holes of others that are about who asks for what; those about containers are in e2e/advisories.test.ts. */

const api = useGuardedApi()
const registry = requestsTo(api)

describe('CVE-2026-48742: the layer of policies was switched off, and ids led across teams', () => {
  const route = (path: string): Route => {
    const described = { tag: 'test', summary: '', request: Joi.object({}), answers: {} }
    return { method: 'GET', path, ...described, handle: async () => ({ status: 200 }) }
  }
  const app = (paths: string[], pages: string[] = []) =>
    createApp({
      routes: paths.map(route),
      pages: pages.map((path) => ({ path, handler: (_request, response) => void response.end() })),
      gate: openGate,
      edges: [],
      onDecided() {},
      log: pino({ level: 'silent' }),
    })

  test('what has no policy cannot be served, route or page', () => {
    expect(() => app(['/v1/docks'])).not.toThrow()
    expect(() => app(['/v1/docks', '/v1/unheard-of'])).toThrow('expected an entry for GET /v1/unheard-of, got none')
    expect(() => app([], ['/unheard-of'])).toThrow('expected an entry for GET /unheard-of, got none')
  })

  test('whom the table does not name is refused by every route of the registry', async () => {
    const wrong: string[] = []
    for (const { name, permission, method, path, body, upgrades } of registry.served()) {
      const policy = policies.get(permission)
      if (!policy || policy.reach === 'public') continue
      const refused = askers.filter((asker) => {
        const role = roleOf[asker]
        return role !== undefined && !policy.roles.includes(role)
      })
      for (const asker of ['none', 'revoked', ...refused] as const) {
        const values: Record<string, string> = path.startsWith('/v1/containers')
          ? { id: api.container(asker, 'own').id }
          : {}
        const { status } = await registry.ask(asker, method, registry.fill(path, values), body)
        const expected = roleOf[asker] === undefined ? [401, 429] : [403]
        // Containers are hidden from an auditor, whatever he may.
        if (policy.reach === 'container') expected.push(404)
        // What is no WebSocket is told so, whoever is known.
        if (upgrades) expected.push(426)
        if (!expected.includes(status)) wrong.push(`${asker}: ${name}: ${status}`)
      }
    }
    expect(wrong).toEqual([])
  }, 30_000)
})

describe('CVE-2026-45632: whoever was known could have what was others’', () => {
  const onContainers = [...actions.values()].filter(({ target }) => target === 'container')

  test.each(onContainers.map((action) => [action.name, action] as const))('%s', async (name, { method, path }) => {
    const before = await registry.everything()
    for (const asker of ['foreign owner', 'team member', 'viewer'] as const) {
      for (const kind of ['foreign', 'unowned'] as const) {
        const { id, name: called } = api.container(asker, kind)
        for (const reference of [id, called, id.slice(0, 12)]) {
          const body = takesBody(method) ? bodyOf(name, asker) : undefined
          const rest = await registry.ask(asker, method, registry.fill(path, { id: reference }), body)
          const document = await registry.ask(asker, 'POST', '/', {
            action: name,
            id: reference,
            ...bodyOf(name, asker),
          })
          expect([asker, kind, rest.status, document.status]).toEqual([asker, kind, 404, 404])
        }
      }
    }
    expect(await registry.everything()).toEqual(before)
  })

  test('tokens, grants, jobs and allowances of others', async () => {
    const job = await api.accept('stop-container', 'owner', 'foreign')
    const tokens = (await registry.ask('admin', 'GET', '/v1/tokens')).body as {
      items: { id: string; subject: string }[]
    }
    const grants = (await registry.ask('admin', 'GET', '/v1/grants')).body as { items: { id: string; to: string }[] }
    const foreign = [
      ...tokens.items.filter(({ subject }) => subject !== 'ben').map(({ id }) => `DELETE /v1/tokens/${id}`),
      ...grants.items.filter(({ to }) => to !== 'ben').map(({ id }) => `DELETE /v1/grants/${id}`),
      `GET /v1/jobs/${job.id}`,
      `POST /v1/jobs/${job.id}/cancel`,
      `POST /v1/jobs/${job.id}/retry`,
    ]
    expect(foreign.length).toBeGreaterThan(10)
    for (const what of foreign) {
      const [method = '', path = ''] = what.split(' ')
      expect([what, (await registry.ask('foreign owner', method, path)).status]).toEqual([what, 404])
    }
    expect((await registry.ask('foreign owner', 'GET', '/v1/owners/zoe')).status).toBe(403)
  })
})

test('CVE-2025-64423: of what anybody is shown nothing has a token in it, nor what one could be known by', async () => {
  const secrets = askers.flatMap((asker) => {
    const token = api.headersOf(asker)['authorization']?.slice('Bearer '.length)
    if (token === undefined) return []
    const secret = token.slice(-43)
    const digests = [token, secret].flatMap((text) =>
      (['hex', 'base64', 'base64url'] as const).map((form) => createHash('sha256').update(text).digest(form)),
    )
    return [secret, ...digests]
  })
  expect(secrets).toHaveLength(7 * (askers.length - 1))
  const reads = registry.served().filter(({ method }) => method === 'GET')
  for (const asker of askers) {
    for (const { name, path } of reads) {
      const { body } = await registry.ask(asker, 'GET', registry.fill(path, { owner: 'anna' }))
      const told = typeof body === 'string' ? body : JSON.stringify(body)
      expect([name, secrets.filter((secret) => told.includes(secret))]).toEqual([name, []])
    }
  }
}, 30_000)
