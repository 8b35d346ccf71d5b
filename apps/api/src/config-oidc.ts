import { type Role, roles } from '@deblox/actions/access/policies'
import { StartError } from '@deblox/fleet/start-error'
import Joi from 'joi'
import { isSafeUrl } from './auth/loopback'

export interface OidcVariables {
  DEBLOX_OIDC_ISSUER?: string
  DEBLOX_OIDC_AUDIENCE?: string
  DEBLOX_OIDC_JWKS_URL?: string
  DEBLOX_OIDC_CLIENT_ID?: string
  DEBLOX_OIDC_CLIENT_SECRET?: string
  DEBLOX_OIDC_SCOPE: string
  DEBLOX_OIDC_TEAMS_CLAIM: string
  DEBLOX_OIDC_ROLES?: string
  DEBLOX_PUBLIC_URL?: string
}

// What any of these holds is checked below where it could be a secret, or have one in it: readEnvironment tells what arrived.
export const oidcVariables = {
  DEBLOX_OIDC_ISSUER: Joi.string(),
  DEBLOX_OIDC_AUDIENCE: Joi.string(),
  DEBLOX_OIDC_JWKS_URL: Joi.string(),
  DEBLOX_OIDC_CLIENT_ID: Joi.string(),
  DEBLOX_OIDC_CLIENT_SECRET: Joi.string(),
  DEBLOX_OIDC_SCOPE: Joi.string()
    .pattern(/^openid( [\x21-\x7e]+)*$/)
    .default('openid')
    .messages({ 'string.pattern.base': 'expected openid, and other scopes after it with one blank between them' }),
  DEBLOX_OIDC_TEAMS_CLAIM: Joi.string().default('groups'),
  DEBLOX_OIDC_ROLES: Joi.string(),
  DEBLOX_PUBLIC_URL: Joi.string(),
}

/** An authority that says who somebody is. */
export interface OidcSettings {
  issuer: string
  /** Whom access tokens must be for; without it none is taken. */
  audience?: string
  /** Where its keys are; by default where the issuer's own description says. */
  jwksUrl?: URL
  /** The claim that lists somebody's groups: his teams. */
  teamsClaim: string
  /** Which group gives which role, in the order in which they count. */
  roles: readonly RoleRule[]
  /** Who we are there, for logins with a browser; without it there are none. */
  client?: { id: string; secret?: string; scope: string; publicUrl: URL }
}

export interface RoleRule {
  group: string
  role: Role
}

/** The authority that the variables describe, if any, and where people reach the API. Throws one line where they do not fit. */
export function readOidc(variables: OidcVariables): { oidc?: OidcSettings; publicUrl?: URL } {
  const publicUrl = readPublicUrl(variables.DEBLOX_PUBLIC_URL)
  const { DEBLOX_OIDC_ISSUER: issuer } = variables
  if (issuer === undefined) {
    refuseStray(variables)
    return { publicUrl }
  }
  requireUrl('DEBLOX_OIDC_ISSUER', issuer)
  const { DEBLOX_OIDC_AUDIENCE: audience, DEBLOX_OIDC_JWKS_URL: jwksUrl } = variables
  const client = readClient(variables, publicUrl)
  if (audience === undefined && client === undefined) {
    throw new StartError(
      'DEBLOX_OIDC_AUDIENCE: expected it or DEBLOX_OIDC_CLIENT_ID beside DEBLOX_OIDC_ISSUER, got neither',
    )
  }
  const oidc: OidcSettings = {
    issuer,
    teamsClaim: variables.DEBLOX_OIDC_TEAMS_CLAIM,
    roles: readRoles(variables.DEBLOX_OIDC_ROLES),
    ...(audience !== undefined && { audience }),
    ...(jwksUrl !== undefined && { jwksUrl: requireUrl('DEBLOX_OIDC_JWKS_URL', jwksUrl) }),
    ...(client && { client }),
  }
  return { oidc, publicUrl }
}

/** What describes an authority that is not named would be without effect, and nobody would see it. */
function refuseStray(variables: OidcVariables): void {
  const { DEBLOX_OIDC_SCOPE: _, DEBLOX_OIDC_TEAMS_CLAIM: __, DEBLOX_PUBLIC_URL: ___, ...others } = variables
  const stray = Object.entries(others).find(([name, value]) => name.startsWith('DEBLOX_OIDC_') && value !== undefined)
  if (stray) throw new StartError(`DEBLOX_OIDC_ISSUER: expected it beside ${stray[0]}, got nothing`)
}

function readClient(variables: OidcVariables, publicUrl: URL | undefined): OidcSettings['client'] {
  const { DEBLOX_OIDC_CLIENT_ID: id, DEBLOX_OIDC_CLIENT_SECRET: secret, DEBLOX_OIDC_SCOPE: scope } = variables
  if (id === undefined) {
    if (secret === undefined) return undefined
    throw new StartError('DEBLOX_OIDC_CLIENT_ID: expected it beside DEBLOX_OIDC_CLIENT_SECRET, got nothing')
  }
  if (publicUrl === undefined) {
    throw new StartError(
      'DEBLOX_PUBLIC_URL: expected it beside DEBLOX_OIDC_CLIENT_ID, as people are sent back to it; got nothing',
    )
  }
  return { id, scope, publicUrl, ...(secret !== undefined && { secret }) }
}

function readPublicUrl(text: string | undefined): URL | undefined {
  if (text === undefined) return undefined
  const url = requireUrl('DEBLOX_PUBLIC_URL', text)
  if (url.pathname === '/') return url
  throw new StartError(`DEBLOX_PUBLIC_URL: expected a URL without a path, got ${told(text)}`)
}

function requireUrl(name: string, text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url && isSafeUrl(url) && url.username === '' && url.password === '' && url.search === '' && url.hash === '') {
    return url
  }
  throw new StartError(
    `${name}: expected an https:// URL, or http:// to a loopback address, without user, query and fragment, got ${told(text)}`,
  )
}

/** Not what may have a password in it. */
const told = (text: string): string => (/[@?#]/.test(text) ? 'another one' : JSON.stringify(text))

function readRoles(text: string | undefined): RoleRule[] {
  if (text === undefined) return []
  return text.split(',').map((part) => {
    const end = part.lastIndexOf('=')
    const group = part.slice(0, Math.max(0, end)).trim()
    const role = roles.find((name) => name === part.slice(end + 1).trim())
    if (group === '' || role === undefined) {
      throw new StartError(
        `DEBLOX_OIDC_ROLES: expected group=role, with commas between them and the roles ${roles.join(', ')}, got ${JSON.stringify(part)}`,
      )
    }
    return { group, role }
  })
}
