import type Docker from 'dockerode'
import { labelNames } from './create'

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

/** The row of one entry of Docker's own list. */
export function containerRow(listed: Docker.ContainerInfo, dock: string): ContainerRow {
  // Docker sends null where a broken container has no names or labels left, whatever the types say.
  const labels: Record<string, string> | null = listed.Labels
  return {
    id: listed.Id,
    name: ownName(listed.Names) ?? listed.Id.slice(0, 12),
    dock,
    image: listed.Image,
    state: listed.State,
    status: listed.Status,
    owner: labels?.[labelNames.owner] ?? null,
    labels: labels ?? {},
    createdAt: new Date(listed.Created * 1000).toISOString(),
  }
}

/** `/web` is a name; `/proxy/web` is what a link calls the same container. */
function ownName(names: string[] | null): string | undefined {
  return names?.find((name) => name.lastIndexOf('/') === 0)?.slice(1)
}
