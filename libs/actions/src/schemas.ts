import Joi from 'joi'
import { expected } from './messages'

const label = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?'

/** A dock's name: its host name in lower case, without a trailing dot. It becomes part of a topic's name. */
export const hostname = Joi.string()
  .max(253)
  .pattern(new RegExp(`^${label}(?:\\.${label})*$`))
  .messages(expected('a host name in lower case, such as app0126.example.com'))
  .description('The host name of a dock')

/** To whom containers belong: the subject of an identity, or a team. */
export const owner = Joi.string()
  .max(128)
  .pattern(/^[\x21-\x7e]+$/)
  .messages(expected('a subject, or team:NAME: at most 128 visible ASCII characters'))
  .description('Whose it is: a subject, or `team:NAME`; the caller unless told')

/** An id as Docker gives it: the only form that may reach a daemon (a prefix or a path would be resolved by it). */
export const fullId = /^[0-9a-f]{64}$/

/** How people name a container: the API resolves it to a full id. */
export const containerId = Joi.string()
  .max(255)
  .pattern(/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/)
  .messages(expected('64 hex digits, a prefix of at least 4, or a name'))
  .description('A full id, an unambiguous prefix of 4 or more hex digits, or a name')

/** A name for a new container. One that looks like a short id would shadow the container whose id it resembles. */
export const containerName = Joi.string()
  .max(128)
  .pattern(/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/)
  .pattern(/^[0-9a-f]{12,64}$/, { invert: true, name: 'id' })
  .messages(
    expected(
      '2 to 128 of a-z A-Z 0-9 _ . - that begin with a letter or digit and are not 12 to 64 hex digits, like an id',
    ),
  )
  .description('The name of a container on its dock')

/** Names that Docker knows besides containers: networks and volumes. */
export const dockerName = Joi.string()
  .max(255)
  .pattern(/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/)
  .messages(expected('letters, digits, _ . - and a letter or digit first'))

export const cpus = Joi.number()
  .min(0.01)
  .max(10_000)
  .messages(expected('a number of CPUs from 0.01 to 10000, such as 0.5'))
  .description('How many CPUs at the most, e.g. 0.5')

export const restartPolicy = Joi.string()
  .pattern(/^(no|always|unless-stopped|on-failure(:\d{1,6})?)$/)
  .messages(expected('no, always, unless-stopped, on-failure or on-failure:N'))
  .description('`no`, `always`, `unless-stopped`, `on-failure` or `on-failure:N`')

/** Docker's form of a validated restart policy. */
export function dockerRestartPolicy(policy: string): { Name: string; MaximumRetryCount: number } {
  const [name = 'no', retries = '0'] = policy.split(':')
  return { Name: name, MaximumRetryCount: Number(retries) }
}

export const stopSignal = Joi.string()
  .pattern(/^(SIG[A-Z0-9+-]{2,12}|[A-Z][A-Z0-9+-]{1,12}|[1-9]\d?)$/i)
  .messages(expected('a signal such as "SIGTERM" or "15"'))
  .description('A signal such as `SIGTERM`')

/** Seconds that a container gets before it is killed. */
export const stopTimeout = Joi.number()
  .integer()
  .min(0)
  .max(3600)
  .messages(expected('a whole number of seconds from 0 to 3600'))
  .description('Seconds to wait before the container is killed')

/** True or false; in a query also Docker's `1` and `0`. */
export const flag = Joi.boolean().truthy('1').falsy('0').messages(expected('true or false'))
