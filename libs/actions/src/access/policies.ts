/** What a person or a program may be in the fleet. An admin may do all; the others act on what is theirs. */
export const roles = ['viewer', 'operator', 'deployer', 'admin', 'auditor'] as const

export type Role = (typeof roles)[number]

/**
 * What a permission reaches:
 * - `public`: anybody, known or not;
 * - `own`: whoever has one of the roles, and what he is shown or may touch there is his own: an admin all;
 * - `new`: makes a container that will be his;
 * - `container`: one of his own or of his teams' containers; one of others where a grant says so; an admin any;
 * - `fleet`: whoever has one of the roles, since it belongs to nobody.
 */
export type Reach = 'public' | 'own' | 'new' | 'container' | 'fleet'

export interface Policy {
  roles: readonly Role[]
  reach: Reach
}

const everybody: readonly Role[] = roles
const users: readonly Role[] = ['viewer', 'operator', 'deployer', 'admin']
const operators: readonly Role[] = ['operator', 'deployer', 'admin']
const deployers: readonly Role[] = ['deployer', 'admin']
const overseers: readonly Role[] = ['admin', 'auditor']
const admins: readonly Role[] = ['admin']

/**
 * The one table of who may do what: actions by their names, everything else that is served by its method and path. What is
 * not in it cannot be registered: the process does not start. The API, the workers and docs/security.md go by it.
 */
const table = {
  'inspect-container': { roles: users, reach: 'container' },
  'start-container': { roles: operators, reach: 'container' },
  'stop-container': { roles: operators, reach: 'container' },
  'restart-container': { roles: operators, reach: 'container' },
  'kill-container': { roles: operators, reach: 'container' },
  'pause-container': { roles: operators, reach: 'container' },
  'unpause-container': { roles: operators, reach: 'container' },
  'rename-container': { roles: deployers, reach: 'container' },
  'update-container': { roles: deployers, reach: 'container' },
  'delete-container': { roles: deployers, reach: 'container' },
  'transfer-container': { roles: deployers, reach: 'container' },
  'create-container': { roles: deployers, reach: 'new' },
  'create-raw-container': { roles: deployers, reach: 'new' },
  'list-containers': { roles: users, reach: 'own' },
  'list-images': { roles: deployers, reach: 'fleet' },
  'top-container': { roles: users, reach: 'container' },
  'list-changes': { roles: users, reach: 'container' },
  // Calls that are no actions: they last as long as somebody follows them.
  'read-logs': { roles: users, reach: 'container' },
  'watch-stats': { roles: users, reach: 'container' },
  'wait-container': { roles: users, reach: 'container' },
  'exec-container': { roles: deployers, reach: 'container' },
  'attach-container': { roles: deployers, reach: 'container' },
  'read-archive': { roles: deployers, reach: 'container' },
  'write-archive': { roles: deployers, reach: 'container' },
  'export-container': { roles: deployers, reach: 'container' },
  'pull-image': { roles: deployers, reach: 'fleet' },
  'delete-image': { roles: admins, reach: 'fleet' },
  register: { roles: admins, reach: 'fleet' },
  unregister: { roles: admins, reach: 'fleet' },

  // A document is judged by the action that it names.
  'POST /': { roles: everybody, reach: 'own' },
  'GET /v1/containers': { roles: users, reach: 'own' },
  'GET /v1/images': { roles: deployers, reach: 'fleet' },
  'GET /v1/volumes': { roles: deployers, reach: 'fleet' },
  'GET /v1/networks': { roles: deployers, reach: 'fleet' },
  // What of it somebody sees is what he is shown of lists, and of jobs.
  'GET /v1/events': { roles: users, reach: 'own' },
  // Of each container that is meant it is asked whether he may read its logs.
  'GET /v1/logs': { roles: users, reach: 'own' },
  'GET /v1/docks': { roles: everybody, reach: 'fleet' },
  'GET /v1/docks/:hostname': { roles: everybody, reach: 'fleet' },
  'PATCH /v1/docks/:hostname': { roles: admins, reach: 'fleet' },
  'GET /v1/templates': { roles: users, reach: 'fleet' },
  'GET /v1/templates/:name': { roles: users, reach: 'fleet' },
  'PUT /v1/templates/:name': { roles: admins, reach: 'fleet' },
  'DELETE /v1/templates/:name': { roles: admins, reach: 'fleet' },
  'GET /v1/jobs': { roles: users, reach: 'own' },
  'GET /v1/jobs/:id': { roles: users, reach: 'own' },
  'GET /v1/jobs/:id/events': { roles: users, reach: 'own' },
  'POST /v1/jobs/:id/cancel': { roles: users, reach: 'own' },
  'POST /v1/jobs/:id/retry': { roles: users, reach: 'own' },
  'GET /v1/me': { roles: everybody, reach: 'own' },
  'POST /v1/tokens': { roles: everybody, reach: 'own' },
  'GET /v1/tokens': { roles: everybody, reach: 'own' },
  'DELETE /v1/tokens/:id': { roles: everybody, reach: 'own' },
  'POST /v1/grants': { roles: deployers, reach: 'own' },
  'GET /v1/grants': { roles: users, reach: 'own' },
  'DELETE /v1/grants/:id': { roles: deployers, reach: 'own' },
  'GET /v1/owners/:owner': { roles: users, reach: 'own' },
  'PUT /v1/owners/:owner': { roles: admins, reach: 'fleet' },
  'GET /v1/audit': { roles: overseers, reach: 'fleet' },
  'GET /metrics': { roles: overseers, reach: 'fleet' },
  'GET /jobs': { roles: overseers, reach: 'fleet' },

  'GET /healthz': { roles: everybody, reach: 'public' },
  'GET /readyz': { roles: everybody, reach: 'public' },
  'GET /': { roles: everybody, reach: 'public' },
  'GET /docs': { roles: everybody, reach: 'public' },
  'GET /openapi.json': { roles: everybody, reach: 'public' },
  // Logging in, coming back from the authority, logging out.
  'GET /auth': { roles: everybody, reach: 'public' },
} satisfies Record<string, Policy>

/** The name of an action, or what is served as `METHOD /path`. */
export type Permission = keyof typeof table

export const policies: ReadonlyMap<string, Policy> = new Map(Object.entries(table))

export const isPermission = (name: string): name is Permission => policies.has(name)

/** The entry of that permission. Throws where there is none: what has no policy must not be served. */
export function policyOf(permission: string): Policy {
  const policy = policies.get(permission)
  if (policy) return policy
  throw new Error(`access/policies.ts: expected an entry for ${permission}, got none; nothing is served without one`)
}
