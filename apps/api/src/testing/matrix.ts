import type { Role } from '@deblox/actions/access/policies'

/** Who asks, in the tests' own words. */
export const askers = [
  'none',
  'expired',
  'revoked',
  'viewer',
  'operator',
  'deployer',
  'owner',
  'team member',
  'foreign owner',
  'auditor',
  'admin',
] as const
export type Asker = (typeof askers)[number]

/** Whose what is asked for is, as the asker sees it. */
export const objects = ['own', 'granted', 'foreign', 'unowned', 'missing'] as const
export type ObjectKind = (typeof objects)[number]

export type Expected = 'allowed' | 401 | 403 | 404

/**
 * What everybody may do with containers, written down a second time on purpose: a test that read the product's table would find
 * nothing. What is granted in these tests is `inspect-container` and `restart-container`.
 */
const onContainers: Record<string, { least: Role; body?: object }> = {
  'inspect-container': { least: 'viewer' },
  'top-container': { least: 'viewer' },
  'list-changes': { least: 'viewer' },
  'start-container': { least: 'operator' },
  'stop-container': { least: 'operator' },
  'restart-container': { least: 'operator' },
  'kill-container': { least: 'operator' },
  'pause-container': { least: 'operator' },
  'unpause-container': { least: 'operator' },
  'rename-container': { least: 'deployer', body: { name: 'other' } },
  'update-container': { least: 'deployer', body: { cpuShares: 512 } },
  'delete-container': { least: 'deployer' },
  'transfer-container': { least: 'deployer' },
  'read-logs': { least: 'viewer' },
  'watch-stats': { least: 'viewer' },
  'wait-container': { least: 'viewer' },
  'exec-container': { least: 'deployer', body: { cmd: ['true'] } },
  'attach-container': { least: 'deployer' },
  'read-archive': { least: 'deployer' },
  'write-archive': { least: 'deployer' },
  'export-container': { least: 'deployer' },
}

/** The routes by which a dock is asked while somebody listens: what they ask for, where, and whether by a WebSocket. */
export const callRoutes: { name: string; method: string; path: string; query?: string; upgrades?: true }[] = [
  { name: 'read-logs', method: 'GET', path: '/v1/containers/:id/logs' },
  { name: 'watch-stats', method: 'GET', path: '/v1/containers/:id/stats' },
  { name: 'wait-container', method: 'GET', path: '/v1/containers/:id/wait' },
  { name: 'exec-container', method: 'POST', path: '/v1/containers/:id/exec' },
  { name: 'exec-container', method: 'GET', path: '/v1/containers/:id/exec', query: '?cmd=sh', upgrades: true },
  { name: 'attach-container', method: 'GET', path: '/v1/containers/:id/attach', query: '?stdin=true', upgrades: true },
  { name: 'read-archive', method: 'GET', path: '/v1/containers/:id/archive', query: '?path=/etc' },
  { name: 'write-archive', method: 'PUT', path: '/v1/containers/:id/archive', query: '?path=/tmp' },
  { name: 'export-container', method: 'GET', path: '/v1/containers/:id/export' },
]

const granted = ['inspect-container', 'restart-container']

/** What is asked of no container. */
const others: Record<string, { roles: Role[]; body?: object }> = {
  'create-container': { roles: ['deployer', 'admin'], body: { image: 'busybox' } },
  'create-raw-container': { roles: ['deployer', 'admin'], body: { body: { Image: 'busybox' } } },
  'list-containers': { roles: ['viewer', 'operator', 'deployer', 'admin'], body: { hostname: 'dock-1' } },
  'list-images': { roles: ['deployer', 'admin'], body: { hostname: 'dock-1' } },
  'pull-image': { roles: ['deployer', 'admin'], body: { hostname: 'dock-1', image: 'busybox' } },
  'delete-image': { roles: ['admin'], body: { hostname: 'dock-1', image: 'busybox' } },
  register: { roles: ['admin'], body: { hostname: 'dock-2' } },
  unregister: { roles: ['admin'], body: { hostname: 'dock-2' } },
}

const rank: Record<Role, number> = { auditor: -1, viewer: 0, operator: 1, deployer: 2, admin: 3 }

/** The role that an asker comes with; none where he is not known. */
export const roleOf: Record<Asker, Role | undefined> = {
  none: undefined,
  expired: undefined,
  revoked: undefined,
  viewer: 'viewer',
  operator: 'operator',
  deployer: 'deployer',
  owner: 'deployer',
  'team member': 'deployer',
  'foreign owner': 'deployer',
  auditor: 'auditor',
  admin: 'admin',
}

/** What somebody should be answered about a container. Throws where nobody has said what: a new action needs a row above. */
export function expectOn(action: string, asker: Asker, object: ObjectKind): Expected {
  const row = onContainers[action]
  if (!row) throw new Error(`matrix: expected a row for ${action}, got none: say who may do it, in testing/matrix.ts`)
  const role = roleOf[asker]
  if (role === undefined) return 401
  if (object === 'missing') return 404
  if (role === 'admin') return 'allowed'
  if (object === 'own') return rank[role] >= rank[row.least] ? 'allowed' : 403
  if (object === 'granted') return granted.includes(action) ? 'allowed' : 403
  return 404
}

export function expectOther(action: string, asker: Asker): Expected {
  const row = others[action]
  if (!row) throw new Error(`matrix: expected a row for ${action}, got none: say who may do it, in testing/matrix.ts`)
  const role = roleOf[asker]
  if (role === undefined) return 401
  return row.roles.includes(role) ? 'allowed' : 403
}

/** Whose name an asker comes with: those with a role alone all own what is `anna`'s. */
const subjects: Partial<Record<Asker, string>> = { 'team member': 'carl', 'foreign owner': 'ben', admin: 'root' }
export const subjectOf = (asker: Asker): string => subjects[asker] ?? 'anna'
export const ownerOf = (asker: Asker): string => (asker === 'team member' ? 'team:crew' : subjectOf(asker))

/** What is sent with it; a container is given to its owner himself, so that he has it in the next case, too. */
export function bodyOf(action: string, asker: Asker): object {
  if (action === 'transfer-container') return { owner: ownerOf(asker) }
  return onContainers[action]?.body ?? others[action]?.body ?? {}
}

const everybody: Role[] = ['viewer', 'operator', 'deployer', 'admin', 'auditor']
const users: Role[] = ['viewer', 'operator', 'deployer', 'admin']

/** All other routes, with what is to be sent: who is let through, whatever he is answered then; `public` for anybody. */
export const routesElse: Record<string, { roles: Role[] | 'public'; body?: object; path?: string }> = {
  'GET /healthz': { roles: 'public' },
  'GET /readyz': { roles: 'public' },
  'GET /': { roles: 'public' },
  'GET /openapi.json': { roles: 'public' },
  'GET /metrics': { roles: ['admin', 'auditor'] },
  'GET /v1/audit': { roles: ['admin', 'auditor'] },
  'GET /v1/containers': { roles: users },
  'GET /v1/images': { roles: ['deployer', 'admin'] },
  'GET /v1/volumes': { roles: ['deployer', 'admin'] },
  'GET /v1/networks': { roles: ['deployer', 'admin'] },
  // Without an id of an event it would go on for as long as somebody listens.
  'GET /v1/events': { roles: users, path: '/v1/events?lastEventId=none' },
  'GET /v1/logs': { roles: users, path: '/v1/logs?label=none' },
  'GET /v1/docks': { roles: everybody },
  'GET /v1/docks/:hostname': { roles: everybody, path: '/v1/docks/dock-1' },
  'PATCH /v1/docks/:hostname': { roles: ['admin'], path: '/v1/docks/dock-1', body: { drain: false } },
  'GET /v1/templates': { roles: users },
  'GET /v1/templates/:name': { roles: users, path: '/v1/templates/none' },
  'PUT /v1/templates/:name': { roles: ['admin'], path: '/v1/templates/mine', body: { image: 'busybox' } },
  'DELETE /v1/templates/:name': { roles: ['admin'], path: '/v1/templates/mine' },
  'GET /v1/jobs': { roles: users },
  'GET /v1/me': { roles: everybody },
  'GET /v1/tokens': { roles: everybody },
  'POST /v1/tokens': { roles: ['admin'], body: { subject: 'somebody', role: 'viewer' } },
  'DELETE /v1/tokens/:id': { roles: everybody, path: '/v1/tokens/0000000000000000' },
  'GET /v1/grants': { roles: users },
  'POST /v1/grants': { roles: ['admin'], body: { to: 'x', may: ['stop-container'], on: { owner: 'zoe' } } },
  'DELETE /v1/grants/:id': {
    roles: ['deployer', 'admin'],
    path: '/v1/grants/00000000-0000-4000-8000-000000000000',
  },
  'GET /v1/owners/:owner': { roles: ['admin'], path: '/v1/owners/zoe' },
  'PUT /v1/owners/:owner': { roles: ['admin'], path: '/v1/owners/zoe', body: { rules: { profile: 'restricted' } } },
}
