import Joi from 'joi'

const label = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?'

/** A dock's name: its host name in lower case, without a trailing dot. It becomes part of a topic's name. */
export const hostname = Joi.string()
  .max(253)
  .pattern(new RegExp(`^${label}(?:\\.${label})*$`))
  .messages({ 'string.pattern.base': 'expected a host name in lower case, such as app0126.example.com' })
  .description('The host name of a dock')

/** An id as Docker gives it: the only form that may reach a daemon (a prefix or a path would be resolved by it). */
export const fullId = /^[0-9a-f]{64}$/

/** How people name a container: the API resolves it to a full id. */
export const containerId = Joi.string()
  .max(255)
  .pattern(/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/)
  .messages({
    'string.pattern.base': 'expected 64 hex digits, a prefix of at least 4, or a name',
    'string.max': 'expected 64 hex digits, a prefix of at least 4, or a name, of at most 255 characters',
  })
  .description('A full id, an unambiguous prefix of 4 or more hex digits, or a name')

/** A name for a new container. One that looks like a short id would shadow the container whose id it resembles. */
export const containerName = Joi.string()
  .max(128)
  .pattern(/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/)
  .pattern(/^[0-9a-f]{12,64}$/, { invert: true, name: 'id' })
  .messages({
    'string.pattern.base': 'expected 2 or more of a-z A-Z 0-9 _ . - and a letter or digit first',
    'string.pattern.invert.name': 'expected a name that does not look like a container id (12 to 64 hex digits)',
  })
  .description('The name of a container on its dock')

const pathPart = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*'
const registryHost = '(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?)(?::[0-9]+)?'
const reference = new RegExp(
  `^(?:${registryHost}/)?${pathPart}(?:/${pathPart})*(?::[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$`,
)

/** An image reference as `docker pull` takes it, or an image's id. */
export const image = Joi.alternatives(
  Joi.string().pattern(/^(?:sha256:)?[0-9a-f]{64}$/),
  Joi.string().max(512).pattern(reference),
)
  .messages({ 'alternatives.match': 'expected an image reference such as ubuntu:24.04, or an image id' })
  .description('An image reference such as `ubuntu:24.04`')

/** Names that Docker knows besides containers: networks and volumes. */
export const dockerName = Joi.string()
  .max(255)
  .pattern(/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/)
  .messages({ 'string.pattern.base': 'expected letters, digits, _ . - and a letter or digit first' })

const memoryUnits: Record<string, number> = { '': 1, b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 }

/** Bytes as a number, or as Docker users write them: `512m`, `1.5g`. */
export const memory = Joi.alternatives(
  Joi.number().integer().min(0).max(Number.MAX_SAFE_INTEGER),
  Joi.string().pattern(/^\d+(\.\d+)?\s*[bkmgt]?b?$/i),
)
  .messages({ 'alternatives.match': 'expected bytes, or a size such as 512m or 1.5g' })
  .description('Bytes, or a size such as `512m`')

/** Bytes of a validated `memory` value. */
export function bytes(size: number | string): number {
  if (typeof size === 'number') return size
  const [, amount = '0', unit = ''] = /^(\d+(?:\.\d+)?)\s*([bkmgt]?)/i.exec(size) ?? []
  return Math.round(Number(amount) * (memoryUnits[unit.toLowerCase()] ?? 1))
}

export const cpus = Joi.number().min(0.01).max(10_000).description('How many CPUs at the most, e.g. 0.5')

export const restartPolicy = Joi.string()
  .pattern(/^(no|always|unless-stopped|on-failure(:\d{1,6})?)$/)
  .messages({ 'string.pattern.base': 'expected no, always, unless-stopped, on-failure or on-failure:N' })
  .description('`no`, `always`, `unless-stopped`, `on-failure` or `on-failure:N`')

/** Docker's form of a validated restart policy. */
export function dockerRestartPolicy(policy: string): { Name: string; MaximumRetryCount: number } {
  const [name = 'no', retries = '0'] = policy.split(':')
  return { Name: name, MaximumRetryCount: Number(retries) }
}

export const stopSignal = Joi.string()
  .pattern(/^(SIG[A-Z0-9+-]{2,12}|[A-Z][A-Z0-9+-]{1,12}|[1-9]\d?)$/)
  .messages({ 'string.pattern.base': 'expected a signal such as SIGTERM or 15' })
  .description('A signal such as `SIGTERM`')

/** Seconds that a container gets before it is killed. */
export const stopTimeout = Joi.number()
  .integer()
  .min(0)
  .max(3600)
  .description('Seconds to wait before the container is killed')
