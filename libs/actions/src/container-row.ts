import type Docker from 'dockerode'
import type { DockOwners } from './define-action'
import { labelNames } from './made'

/** A container as lists show it. */
export interface ContainerRow {
  id: string
  name: string
  dock: string
  image: string
  /** Docker's word: `created`, `running`, `paused`, `restarting`, `removing`, `exited` or `dead`. */
  state: string
  /** Docker's sentence, such as `Up 2 minutes`. */
  status: string
  /** The subject to whom it belongs; null where Deblox did not make it. */
  owner: string | null
  labels: Record<string, string>
  /** ISO 8601. */
  createdAt: string
  /** What the container's own check says; absent where it has none, or does not run. */
  health?: Health
  /** What is open, as `docker ps` tells it: `80/tcp`, or `0.0.0.0:8080->80/tcp` where published; absent where nothing is. */
  ports?: string[]
}

export type Health = 'starting' | 'healthy' | 'unhealthy'

/** The row of one entry of Docker's own list: text where text belongs, whatever a broken container or daemon has there. */
export function containerRow(listed: Docker.ContainerInfo, dock: string): ContainerRow {
  const { Id, Names, Image, State, Status, Labels, Created, Ports } = listed as unknown as Record<string, unknown>
  const id = text(Id)
  const labels = textsOf(Labels)
  const health = healthIn(text(Status))
  const ports = portsOf(Ports)
  return {
    id,
    name: ownName(Names) ?? id.slice(0, 12),
    dock,
    image: text(Image),
    state: text(State),
    status: text(Status),
    owner: labels[labelNames.owner] ?? null,
    labels,
    createdAt: isoTime(Created),
    ...(health && { health }),
    ...(ports.length > 0 && { ports }),
  }
}

/** Docker's lists have it in their sentence only: `Up 2 minutes (healthy)`, `Up 3 seconds (health: starting)`. */
const healthIn = (status: string): Health | undefined =>
  /^Up .*\((?:health: )?(starting|healthy|unhealthy)\)$/.exec(status)?.[1] as Health | undefined

/** In an order of their own: the daemon's is another each time. */
function portsOf(listed: unknown): string[] {
  if (!Array.isArray(listed)) return []
  const told = (listed as unknown[]).flatMap((port) => {
    const { IP, PrivatePort, PublicPort, Type } = (port ?? {}) as Record<string, unknown>
    if (typeof PrivatePort !== 'number' || typeof Type !== 'string') return []
    const inside = `${PrivatePort}/${text(Type)}`
    if (typeof PublicPort !== 'number') return [inside]
    const address = text(IP)
    return [`${address.includes(':') ? `[${address}]` : address}:${PublicPort}->${inside}`]
  })
  return [...new Set(told)].sort()
}

/** An entry of Docker's own list whose label of an owner tells who that is, or is not there where nobody is. */
export function withTrueOwner(listed: Docker.ContainerInfo, owners: Pick<DockOwners, 'ownerOf'>): Docker.ContainerInfo {
  const { [labelNames.owner]: _told, ...labels } = textsOf(listed.Labels)
  const owner = owners.ownerOf(text(listed.Id), textsOf(listed.Labels))
  return { ...listed, Labels: owner === null ? labels : { ...labels, [labelNames.owner]: owner } }
}

/** Half a surrogate pair is no text: Redis's JSON reader would refuse the whole row. */
export const text = (value: unknown): string =>
  typeof value === 'string' ? Buffer.from(value).toString() : value === undefined || value === null ? '' : typeof value

/** Docker sends null where a broken container has no labels left, whatever the types say. */
export function textsOf(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {}
  return Object.fromEntries(Object.entries(value).map(([name, content]) => [text(name), text(content)]))
}

/** ISO 8601 of seconds since 1970; the beginning where that is no time. */
export function isoTime(seconds: unknown): string {
  const date = new Date(typeof seconds === 'number' ? seconds * 1000 : 0)
  return Number.isNaN(date.getTime()) ? new Date(0).toISOString() : date.toISOString()
}

/** ISO 8601 of Docker's own text of a time; the beginning where that is no time. */
export function isoDate(told: unknown): string {
  const date = new Date(typeof told === 'string' ? told : 0)
  return Number.isNaN(date.getTime()) ? new Date(0).toISOString() : date.toISOString()
}

/**
 * `/web` is a name; `/proxy/web` is what a link calls the same container. No name has other characters than these: one
 * with a blank would be taken for several words where containers are looked up.
 */
function ownName(names: unknown): string | undefined {
  if (!Array.isArray(names)) return undefined
  const own: unknown = names.find((name) => typeof name === 'string' && /^\/[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name))
  return typeof own === 'string' ? own.slice(1) : undefined
}
