import { DebloxError } from '@deblox/actions/errors'
import type { ContainerSpec } from '@deblox/actions/container-spec'
import { withMac, withoutMac } from './maced'
import type { FleetKeys } from './names'
import { overRedis, type RedisClient } from './redis'
import { signer, type Trust } from './signing/trust'

export interface Template {
  name: string
  /** Shipped with Deblox and not replaced by one of the same name. */
  shipped: boolean
  spec: ContainerSpec
}

/**
 * Stored specs by name. Those that are shipped lie under the ones in Redis: they can be replaced, not deleted. What is made
 * of one is signed: only what the API itself has written down is believed.
 */
export function templatesOf(
  redis: RedisClient,
  keys: FleetKeys,
  shipped: ReadonlyMap<string, ContainerSpec>,
  trust: Trust,
) {
  const readSpec = (name: string, stored: string): ContainerSpec | undefined => {
    const text = withoutMac(macName(name), stored, signer(trust).macKey('templates'))
    return text === undefined ? undefined : (JSON.parse(text) as ContainerSpec)
  }

  return overRedis({
    /** All templates, sorted by name. */
    async list(): Promise<Template[]> {
      const stored = Object.entries(await redis.hgetall(keys.templates))
      const all = new Map([...shipped].map(([name, spec]): [string, Template] => [name, { name, shipped: true, spec }]))
      for (const [name, text] of stored) {
        const spec = readSpec(name, text)
        if (spec) all.set(name, { name, shipped: false, spec })
      }
      return [...all.values()].sort((one, other) => (one.name < other.name ? -1 : 1))
    },

    /** Throws `template_not_found`. */
    async get(name: string): Promise<Template> {
      const stored = await redis.hget(keys.templates, name)
      const own = stored === null ? undefined : readSpec(name, stored)
      if (own) return { name, shipped: false, spec: own }
      const spec = shipped.get(name)
      if (!spec) throw notFound(name)
      return { name, shipped: true, spec }
    },

    /** Stores a validated spec; tells whether the name was new. */
    async put(name: string, spec: ContainerSpec): Promise<{ created: boolean }> {
      const text = withMac(macName(name), JSON.stringify(spec), signer(trust).macKey('templates'))
      const added = await redis.hset(keys.templates, name, text)
      return { created: added === 1 && !shipped.has(name) }
    },

    /** Throws `template_not_found`, or `template_shipped` for one that lies under all stored ones. */
    async delete(name: string): Promise<void> {
      if ((await redis.hdel(keys.templates, name)) === 1) return
      if (!shipped.has(name)) throw notFound(name)
      throw new DebloxError(
        'template_shipped',
        `name: expected a stored template, got ${name}, which is shipped; PUT one over it`,
      )
    },
  })
}

const macName = (name: string): string => `template:${name}`

const notFound = (name: string): DebloxError =>
  new DebloxError('template_not_found', `template: expected a template (see GET /v1/templates), got ${name}`)
