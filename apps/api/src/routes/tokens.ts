import { policies, type Role, roles } from '@deblox/actions/access/policies'
import { expected } from '@deblox/actions/messages'
import { noSuchToken, type Tokens } from '@deblox/fleet/tokens'
import Joi from 'joi'
import { nameForm, reservedSubject, teamForm } from '../auth/authenticated'
import { isHisToken, mayMake, tokenLives, type WantedToken } from '../auth/token-rules'
import { pageFields, readCursor, writeCursor } from '../page'
import type { Route } from '../route'

const seconds = 1000

const subject = Joi.string()
  .pattern(nameForm)
  .pattern(reservedSubject, { invert: true, name: 'reserved' })
  .messages(expected('1 to 128 visible ASCII characters, not beginning with team:, and neither admin nor anonymous'))
  .description('Who comes with the token, and owns what he makes')

const team = Joi.string().pattern(teamForm).messages(expected('1 to 123 visible ASCII characters'))

const id = Joi.string()
  .pattern(/^[0-9a-f]{16}$/)
  .messages(expected('16 hex digits'))
  .description('The part of a token after dbx_')

const newToken = Joi.object({
  subject: subject.required(),
  role: Joi.string()
    .valid(...roles)
    .required(),
  teams: Joi.array()
    .items(team)
    .max(100)
    .unique()
    .description('Without `team:`; his own where he makes it for himself'),
  scopes: Joi.array()
    .items(Joi.string().valid(...policies.keys()))
    .max(100)
    .unique()
    .description('All that it may be used for, of what its role may: actions, and routes as `GET /v1/jobs`'),
  expiresIn: Joi.number()
    .integer()
    .min(60)
    .max(tokenLives.admin / seconds)
    .description('Seconds; 90 days where it is left out'),
})

interface NewTokenFields {
  subject: string
  role: Role
  teams?: string[]
  scopes?: string[]
  expiresIn?: number
}

/** Tokens, and who one is. An admin sees and revokes all tokens, everybody else his own. */
export function tokenRoutes(tokens: Pick<Tokens, 'create' | 'list' | 'get' | 'revoke'>): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/me',
      tag: 'identity',
      summary: 'Who is asking, and by what he is known',
      request: Joi.object({}),
      answers: { 200: 'Subject, role and teams' },
      handle: async (_fields, { identity: { subject, role, teams, scopes }, via }) => ({
        status: 200,
        body: { subject, role, teams, ...(scopes && { scopes }), via, auth: via === 'off' ? 'off' : 'on' },
        headers: unkept,
      }),
    },
    {
      method: 'POST',
      path: '/v1/tokens',
      tag: 'identity',
      summary: 'Make a token, whose text is shown this once',
      request: newToken,
      answers: { 201: 'The token' },
      async handle(fields, { identity, via, about }) {
        const { expiresIn, ...wanted } = fields as unknown as NewTokenFields
        about.object = wanted.subject
        const asked: WantedToken = { ...wanted, ...(expiresIn !== undefined && { lifeMs: expiresIn * seconds }) }
        const granted = mayMake({ identity, via }, asked)
        const { token, view } = await tokens.create({ ...granted, createdBy: identity.subject })
        about.object = view.id
        return { status: 201, body: { ...view, token }, headers: unkept }
      },
    },
    {
      method: 'GET',
      path: '/v1/tokens',
      tag: 'identity',
      summary: 'List tokens, without their secrets, the oldest first',
      request: Joi.object(pageFields),
      answers: { 200: 'Tokens' },
      async handle({ limit, cursor }, { identity }) {
        const [after = ''] = cursor === undefined ? [] : readCursor(cursor as string, 1)
        const his = (await tokens.list()).filter((token) => isHisToken(identity, token))
        const rest = his.filter((token) => placeOf(token) > after)
        const items = rest.slice(0, limit as number)
        const last = items.at(-1)
        const nextCursor = last && rest.length > items.length ? writeCursor([placeOf(last)]) : null
        return { status: 200, body: { items, nextCursor }, headers: unkept }
      },
    },
    {
      method: 'DELETE',
      path: '/v1/tokens/:id',
      tag: 'identity',
      summary: 'Revoke a token: it counts no more, on any replica',
      request: Joi.object({ id: id.required() }),
      answers: { 204: 'Revoked' },
      async handle(fields, { identity, about }) {
        const key = fields['id'] as string
        about.object = key
        // Somebody else's is answered as one that is not there.
        if (!isHisToken(identity, await tokens.get(key))) throw noSuchToken(key)
        await tokens.revoke(key)
        return { status: 204 }
      },
    },
  ]
}

/** Where a token stands in the list. */
const placeOf = (token: { createdAt: string; id: string }): string => `${token.createdAt} ${token.id}`

/** Answers that no cache may keep. */
const unkept = { 'Cache-Control': 'no-store' }
