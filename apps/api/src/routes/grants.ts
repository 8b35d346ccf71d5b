import { type Selector } from '@deblox/actions/access/decide'
import { type Identity, ownersOf } from '@deblox/actions/access/identity'
import { type Permission, policies } from '@deblox/actions/access/policies'
import { DebloxError } from '@deblox/actions/errors'
import { expected } from '@deblox/actions/messages'
import { containerId, owner } from '@deblox/actions/schemas'
import { type Grants, notFound } from '@deblox/fleet/grants'
import Joi from 'joi'
import { type Access, forbidden, requireUse } from '../access'
import type { Caller, Route } from '../route'

/** What can be granted: all that is done with a container, but to give it away. */
const grantable = [...policies]
  .filter(([name, { reach }]) => reach === 'container' && name !== 'transfer-container')
  .map(([name]) => name)

const dockPattern = Joi.string()
  .max(253)
  .pattern(/^(\*|(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?)$/)
  .messages(expected('a host name, *, or the end of a host name as *.example.org'))

const selector = Joi.object<Selector>({
  container: containerId.description('One container'),
  owner: owner.description('All that belong to this owner'),
  labels: Joi.object().pattern(/./, Joi.string().allow('')).min(1).description('All that carry these labels'),
  docks: Joi.array().items(dockPattern).min(1).max(100).description('All on these docks: names, or `*.example.org`'),
})
  .min(1)
  .description('The containers that it is about: those of which all that is named here holds')

interface Asked {
  to: string
  may: Permission[]
  on: Selector
}

/** Who may do what with containers that are not his. */
export function grantRoutes(grants: Grants, access: Access): Route[] {
  /** What somebody can give is his own: the selector is held to that. An admin gives anything. */
  const ownSelector = async ({ container, ...on }: Selector, caller: Caller): Promise<Selector> => {
    const { identity } = caller
    const found =
      container === undefined ? undefined : await access.container(identity, 'transfer-container', container)
    const named = { ...on, ...(found && { container: found.row.id }) }
    // One on a single container ends when that is given to somebody else, whoever gave the grant.
    if (identity.role === 'admin') return { ...(found?.row.owner && { owner: found.row.owner }), ...named }
    const whose = found?.row.owner ?? on.owner ?? identity.subject
    if (!ownersOf(identity).includes(whose) || (on.owner ?? whose) !== whose) throw notHis(identity)
    return { ...named, owner: whose }
  }

  return [
    {
      method: 'POST',
      path: '/v1/grants',
      tag: 'grants',
      summary: 'Allow somebody single actions on containers that are not his',
      request: Joi.object({
        to: owner.required().description('To whom: a subject, or `team:NAME`'),
        may: Joi.array()
          .items(Joi.string().valid(...grantable))
          .min(1)
          .unique()
          .required()
          .description('The actions'),
        on: selector.required(),
      }),
      answers: { 201: 'The grant' },
      async handle(fields, caller) {
        const { to, may, on } = fields as unknown as Asked
        const { identity, about } = caller
        about.object = to
        requireOwnRights(identity, to, may)
        const grant = await grants.add({ to, may, on: await ownSelector(on, caller), by: identity.subject })
        return { status: 201, body: grant }
      },
    },
    {
      method: 'GET',
      path: '/v1/grants',
      tag: 'grants',
      summary: 'List the grants that one has given or been given; an admin sees all',
      request: Joi.object({}),
      answers: { 200: 'Grants, the oldest first' },
      async handle(_fields, { identity }) {
        const items = (await grants.list()).filter((grant) => isHis(identity, grant))
        return { status: 200, body: { items, nextCursor: null } }
      },
    },
    {
      method: 'DELETE',
      path: '/v1/grants/:id',
      tag: 'grants',
      summary: 'Take a grant back',
      request: Joi.object({ id: Joi.string().guid().required().description('The id of a grant') }),
      answers: { 204: 'Taken back' },
      async handle({ id }, { identity, about }) {
        about.object = id as string
        const grant = await grants.get(id as string)
        if (!isHis(identity, grant)) throw notFound(id as string)
        // He who was given it sees it, and cannot change it.
        if (!mayTakeBack(identity, grant)) throw forbidden(identity, 'DELETE /v1/grants/:id')
        await grants.remove(id as string)
        return { status: 204 }
      },
    },
  ]
}

/** Nobody gives what he has not, nor keeps by a grant to himself what his role or his team gives him now. */
function requireOwnRights(identity: Identity, to: string, may: readonly Permission[]): void {
  if (identity.role === 'admin' && identity.scopes === undefined) return
  for (const permission of may) requireUse(identity, permission)
  if (to !== identity.subject) return
  throw new DebloxError('forbidden', `to: expected somebody else than ${identity.subject}, who asks`)
}

interface Parties {
  to: string
  by: string
  on: Selector
}

const mayTakeBack = (identity: Identity, { by, on }: Parties): boolean =>
  identity.role === 'admin' ||
  by === identity.subject ||
  (on.owner !== undefined && ownersOf(identity).includes(on.owner))

const isHis = (identity: Identity, grant: Parties): boolean =>
  mayTakeBack(identity, grant) || ownersOf(identity).includes(grant.to)

const notHis = (identity: Identity): DebloxError =>
  new DebloxError(
    'forbidden',
    `on: expected containers of ${ownersOf(identity).join(' or ')}, got others; only an admin grants what is not his`,
  )
