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
}

/** The row of one entry of Docker's own list: text where text belongs, whatever a broken container or daemon has there. */
export function containerRow(listed: Docker.ContainerInfo, dock: string): ContainerRow {
  const { Id, Names, Image, State, Status, Labels, Created } = listed as unknown as Record<string, unknown>
  const id = text(Id)
  const labels = textsOf(Labels)
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
  }
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

/**
 * `/web` is a name; `/proxy/web` is what a link calls the same container. No name has other characters than these: one
 * with a blank would be taken for several words where containers are looked up.
 */
function ownName(names: unknown): string | undefined {
  if (!Array.isArray(names)) return undefined
  const own: unknown = names.find((name) => typeof name === 'string' && /^\/[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name))
  return typeof own === 'string' ? own.slice(1) : undefined
}
