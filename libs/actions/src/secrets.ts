import type { ContainerCreateOptions } from 'dockerode'
import Joi from 'joi'
import { DebloxError } from './errors'
import { labelNames } from './made'
import { expected } from './messages'

/** Who may pull from a registry. */
export interface RegistryLogin {
  username: string
  password: string
}

/** What only the dock may know of a job: it stands in no queue, record, log or reply. */
export interface Secrets {
  /** Environment variables. */
  env?: Record<string, string>
  registry?: RegistryLogin
}

/** The fields of a request whose values are sealed to the dock before anything else sees them. */
export interface SecretFields {
  secrets?: Record<string, string>
  registryAuth?: RegistryLogin
}

const password = Joi.string().min(1).max(10_000).messages(expected('a string of 1 to 10000 characters'))

const registryAuth = Joi.object<RegistryLogin, true>({ username: password.required(), password: password.required() })
  .messages(expected('an object of username and password'))
  .description('Who pulls the image. Only the dock is told')

export const loginField = { registryAuth } satisfies Joi.PartialSchemaMap<SecretFields>

export const secretFields = {
  secrets: Joi.object<Record<string, string>>()
    // No comma: the names stand in a label.
    .pattern(/^[a-zA-Z_][a-zA-Z0-9_.-]{0,254}$/, Joi.string().max(65_536).allow('').pattern(/\0/, { invert: true }))
    .min(1)
    .max(200)
    .messages(expected('an object of names (letters, digits, _, . and -) and string values'))
    .description('Environment variables of which only the dock is told the values; nobody is shown them again'),
  ...loginField,
} satisfies Joi.PartialSchemaMap<SecretFields>

/** Whether a field's value must not be shown to anybody, by the first part of its path. */
export const isSecretField = (field: string | number | undefined): boolean =>
  typeof field === 'string' && Object.hasOwn(secretFields, field)

/** What is shown in place of a secret. */
export const hidden = '***'

/** The container's document with its secret environment, which goes over what else it has of those names. */
export function withSecrets(body: ContainerCreateOptions, { env }: Secrets = {}): ContainerCreateOptions {
  if (!env) return body
  const names = Object.keys(env)
  const open = (body.Env ?? []).filter((entry) => !names.includes(nameOf(entry)))
  return {
    ...body,
    Env: [...open, ...names.map((name) => `${name}=${env[name]}`)],
    Labels: { ...body.Labels, [labelNames.secrets]: names.join(',') },
  }
}

interface Inspected {
  Config?: { Env?: string[] | null; Labels?: Record<string, string> | null }
}

/** What Docker says of a container, without the values that its label calls secret. */
export function withoutSecrets<T extends Inspected>(inspected: T): T {
  const { Config } = inspected
  const secret = Config?.Labels?.[labelNames.secrets]
  if (!Config?.Env || typeof secret !== 'string') return inspected
  const names = new Set(secret.split(','))
  const shown = Config.Env.map((entry) => (names.has(nameOf(entry)) ? `${nameOf(entry)}=${hidden}` : entry))
  return { ...inspected, Config: { ...Config, Env: shown } }
}

const nameOf = (entry: string): string => entry.split('=', 1)[0] ?? ''

/** A failure in whose words no secret stands: Docker, or a registry, may repeat what it was told. */
export function hideIn(error: DebloxError, { env = {}, registry }: Secrets): DebloxError {
  const values = [...Object.values(env), registry?.password ?? ''].filter((value) => value !== '')
  // The longest first: one may be a part of another.
  values.sort((one, other) => other.length - one.length)
  const hide = (text: string) => values.reduce((shown, value) => shown.replaceAll(value, hidden), text)
  const { code, status, message, details } = error
  const shown = hideWithin(details, hide) as Record<string, unknown>
  // Without its cause, whose words are the same.
  return new DebloxError(code, hide(message), { status, details: shown })
}

function hideWithin(value: unknown, hide: (text: string) => string): unknown {
  if (typeof value === 'string') return hide(value)
  if (Array.isArray(value)) return value.map((one) => hideWithin(one, hide))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, hideWithin(one, hide)]))
}
