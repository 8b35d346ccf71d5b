import { DebloxError } from '@deblox/actions/errors'
import { isSecretField, type SecretFields, type Secrets } from '@deblox/actions/secrets'
import type { FleetClock } from './clock'
import type { JobRecord } from './job'
import { dockOfTopic, type FleetKeys } from './names'
import type { RedisClient } from './redis'
import { seal } from './signing/seal'
import { type SealPins, sealPinsOf } from './signing/seal-pins'
import { signer, type Trust } from './signing/trust'

/** Whether a request has something that only the dock may know: then it goes to docks by name, and never to the cluster topic. */
export const hasSecrets = (params: object): boolean => Object.keys(params).some(isSecretField)

/** How what only a dock may know is kept from everybody else. */
export function secretsOf(redis: RedisClient, keys: FleetKeys, clock: FleetClock, trust: Trust) {
  let known: SealPins | undefined
  const pins = (): SealPins => (known ??= sealPinsOf(redis, keys, signer(trust).macKey('seal-pins'), () => clock.now()))

  return {
    /**
     * The record with its secrets sealed to the docks of its slots, and nowhere else in it. To be called before it is measured,
     * logged or accepted. Throws `no_dock_ready`, `dock_replaced`.
     */
    async sealed(record: JobRecord): Promise<JobRecord> {
      if (!hasSecrets(record.params)) return record
      const { secrets: env, registryAuth: registry, ...params } = record.params as SecretFields & JobRecord['params']
      const secrets: Secrets = { ...(env && { env }), ...(registry && { registry }) }
      const jobId = record.origin ?? record.id
      const sealed = await Promise.all(
        record.topics.map(async (topic, n) => {
          const dock = dockOfTopic(topic)
          if (dock === null || record.dealt) throw noDock()
          return seal(secrets, { jobId, slot: n + 1, dock }, await pins().keyOf(dock))
        }),
      )
      return { ...record, params, sealed }
    },

    /** Believes the next key that the dock tells: to be called when it is unregistered. */
    forget: (hostname: string): Promise<void> => pins().forget(hostname),
  }
}

const noDock = (): DebloxError =>
  new DebloxError(
    'no_dock_ready',
    'secrets: expected a dock that is ready, because only a dock can be told them; got none',
  )
