import { commonVariables, readEnvironment } from '@deblox/fleet/environment'
import { counts } from '@deblox/fleet/names'
import { StartError } from '@deblox/fleet/start-error'
import { looksRandom, parseToken } from '@deblox/fleet/token-text'
import Joi from 'joi'
import { isLoopback } from './auth/loopback'
import { addressesBehind } from './edges/origin'
import { type OidcSettings, type OidcVariables, oidcVariables, readOidc } from './config-oidc'

interface Variables extends OidcVariables {
  REDIS_URL: string
  DEBLOX_PREFIX: string
  LOG_LEVEL: string
  AUTH: 'on' | 'off'
  PORT: number
  HOST: string
  DEBLOX_MAX_QUEUE_DEPTH: number
  DEBLOX_MAX_JOBS_PER_OWNER: number
  /** How many streams somebody may have open on this replica. */
  DEBLOX_MAX_STREAMS: number
  /** Requests a second; 0 for no limit. */
  DEBLOX_RATE_PER_IDENTITY: number
  DEBLOX_RATE_PER_ADDRESS: number
  /** Addresses and networks of proxies whose X-Forwarded-For is believed. */
  DEBLOX_TRUST_PROXY?: string
  /** How many decisions the audit keeps in Redis. */
  DEBLOX_AUDIT_ENTRIES: number
  /** An admin's token that is not kept anywhere: for automation, and for whoever has lost all others. */
  DEBLOX_ADMIN_TOKEN?: string
  /** The folder of what the API keeps beside Redis: its keys. */
  DEBLOX_STATE_DIR: string
  /** The file of the keys, where replicas on several machines share one. */
  DEBLOX_SIGNING_KEYS?: string
}

export type ApiConfig = Omit<Variables, keyof OidcVariables> & {
  /** Who says who somebody is, where there is such an authority. */
  oidc?: OidcSettings
  /** Where people reach the API; its origin is the only one whose pages may use their sessions. */
  publicUrl?: URL
}

const count = Joi.number().integer().min(1).max(10_000_000)

const absolutePath = Joi.string().pattern(/^\//).messages({ 'string.pattern.base': 'expected an absolute path' })

/** Reads the API's variables once. Throws one line that names the variable, what was expected and what arrived. */
export function readConfig(env: NodeJS.ProcessEnv = process.env): ApiConfig {
  const variables = readEnvironment<Variables>(env, {
    ...commonVariables,
    ...oidcVariables,
    PORT: Joi.number().integer().min(0).max(65_535).default(8080),
    HOST: Joi.string().hostname().default('127.0.0.1'),
    DEBLOX_MAX_QUEUE_DEPTH: count.default(10_000),
    DEBLOX_MAX_JOBS_PER_OWNER: count.default(5_000),
    DEBLOX_MAX_STREAMS: count.default(64),
    DEBLOX_RATE_PER_IDENTITY: count.min(0).default(100),
    DEBLOX_RATE_PER_ADDRESS: count.min(0).default(300),
    DEBLOX_TRUST_PROXY: Joi.string().custom(requireProxies),
    DEBLOX_AUDIT_ENTRIES: count.default(counts.auditEntries),
    DEBLOX_ADMIN_TOKEN: Joi.string().custom(requireToken),
    DEBLOX_STATE_DIR: absolutePath.default('/var/lib/deblox'),
    DEBLOX_SIGNING_KEYS: absolutePath,
  })
  requireLoopback(variables)
  const others = Object.entries(variables).filter(([name]) => !(name in oidcVariables))
  return { ...(Object.fromEntries(others) as Omit<Variables, keyof OidcVariables>), ...readOidc(variables) }
}

/** Without identities everybody is an admin: nobody but people on this machine may be everybody. */
function requireLoopback({ AUTH, HOST }: Variables): void {
  if (AUTH === 'on' || isLoopback(HOST)) return
  throw new StartError(`AUTH: expected on, as HOST is not a loopback address, got "off" with HOST "${HOST}"`)
}

function requireProxies(proxies: string): string {
  addressesBehind(proxies)
  return proxies
}

function requireToken(token: string): string {
  if (parseToken(token) === undefined) {
    throw new Error('expected dbx_, 16 hex digits, _, and 43 characters of base64url')
  }
  if (!looksRandom(token)) throw new Error('expected a secret that was drawn at random')
  return token
}
