import { DebloxError } from '@deblox/actions/errors'
import type { ContainerSpec } from '@deblox/actions/container-spec'
import type { FleetKeys } from './names'
import { overRedis, type RedisClient } from './redis'

export interface Template {
  name: string
  /** Shipped with Deblox and not replaced by one of the same name. */
  shipped: boolean
  spec: ContainerSpec
}

export type Templates = ReturnType<typeof templatesOf>

/** Stored specs by name. Those that are shipped lie under the ones in Redis: they can be replaced, not deleted. */
export function templatesOf(redis: RedisClient, keys: FleetKeys, shipped: ReadonlyMap<string, ContainerSpec>) {
  return overRedis({
    /** All templates, sorted by name. */
    async list(): Promise<Template[]> {
      const stored = Object.entries(await redis.hgetall(keys.templates))
      const all = new Map([...shipped].map(([name, spec]): [string, Template] => [name, { name, shipped: true, spec }]))
      for (const [name, json] of stored) all.set(name, { name, shipped: false, spec: parseSpec(json) })
      return [...all.values()].sort((one, other) => (one.name < other.name ? -1 : 1))
    },

    /** Throws `template_not_found`. */
    async get(name: string): Promise<Template> {
      const stored = await redis.hget(keys.templates, name)
      if (stored !== null) return { name, shipped: false, spec: parseSpec(stored) }
      const spec = shipped.get(name)
      if (!spec) throw notFound(name)
      return { name, shipped: true, spec }
    },

    /** Stores a validated spec; tells whether the name was new. */
    async put(name: string, spec: ContainerSpec): Promise<{ created: boolean }> {
      const added = await redis.hset(keys.templates, name, JSON.stringify(spec))
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

const parseSpec = (json: string): ContainerSpec => JSON.parse(json) as ContainerSpec

const notFound = (name: string): DebloxError =>
  new DebloxError('template_not_found', `template: expected a template (see GET /v1/templates), got ${name}`)
