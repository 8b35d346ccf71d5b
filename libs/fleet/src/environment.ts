import { plainMessages } from '@deblox/actions/messages'
import Joi from 'joi'
import { parseRedisUrl } from './redis'
import { StartError } from './start-error'

const redisUrl = Joi.string().custom((value: string) => {
  parseRedisUrl(value)
  return value
})

/** The variables that both programs read. */
export const commonVariables = {
  REDIS_URL: redisUrl.default('redis://127.0.0.1:6379'),
  DEBLOX_PREFIX: Joi.string()
    .pattern(/^[a-zA-Z0-9_.{}-]{1,64}$/)
    .default('deblox')
    .messages({ 'string.pattern.base': 'expected 1 to 64 letters, digits, underscores, dots, dashes and braces' }),
  LOG_LEVEL: Joi.string().valid('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent').default('info'),
  AUTH: Joi.string().valid('on', 'off').default('on'),
}

/** Variables whose values may hold a password: a message about them must not. */
const secret = new Set(['REDIS_URL', 'DEBLOX_ADMIN_TOKEN', 'DEBLOX_OIDC_CLIENT_SECRET'])

/** The variables of a schema, validated. Throws one line that names the variable, what was expected and what arrived. */
export function readEnvironment<T extends object>(env: NodeJS.ProcessEnv, variables: Record<keyof T, Joi.Schema>): T {
  // An empty variable is as good as none: that is how compose files and unit files leave one out.
  const present = Object.fromEntries(Object.entries(env).filter(([name, value]) => name in variables && value !== ''))
  const { value, error } = Joi.object<T>(variables).validate(present, {
    messages: plainMessages,
    errors: { wrap: { label: false, array: false } },
  })
  if (!error) {
    requireHashTag(value)
    return value
  }
  const [detail] = error.details
  const name = String(detail?.path[0])
  const got = secret.has(name) ? 'another value' : JSON.stringify(env[name])
  throw new StartError(`${name}: ${expectation(detail)}, got ${got}`)
}

/** Redis Cluster runs a script only where all its keys are on one node: what is in braces decides that. */
function requireHashTag({ REDIS_URL = '', DEBLOX_PREFIX = '' }: { REDIS_URL?: string; DEBLOX_PREFIX?: string }): void {
  if (parseRedisUrl(REDIS_URL).kind !== 'cluster' || /\{[^{}]+\}/.test(DEBLOX_PREFIX)) return
  throw new StartError(
    `DEBLOX_PREFIX: expected braces around it for a Redis Cluster, as in {deblox}; got "${DEBLOX_PREFIX}"`,
  )
}

function expectation(detail: Joi.ValidationErrorItem | undefined): string {
  const thrown: unknown = detail?.context?.['error']
  if (thrown instanceof Error) return thrown.message
  return detail?.message ?? 'expected another value'
}
