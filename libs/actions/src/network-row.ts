import type Docker from 'dockerode'
import { isoDate, text, textsOf } from './container-row'

/** A network as lists show it. */
export interface NetworkRow {
  id: string
  name: string
  dock: string
  driver: string
  /** `local`, or `swarm` or `global` for one that several hosts share. */
  scope: string
  /** Whether it leads nowhere but to its own containers. */
  internal: boolean
  labels: Record<string, string>
  /** ISO 8601. */
  createdAt: string
}

/** The row of one entry of Docker's own list. */
export function networkRow(listed: Docker.NetworkInspectInfo, dock: string): NetworkRow {
  const { Id, Name, Driver, Scope, Internal, Labels, Created } = listed as unknown as Record<string, unknown>
  return {
    id: text(Id),
    name: text(Name),
    dock,
    driver: text(Driver),
    scope: text(Scope),
    internal: Internal === true,
    labels: textsOf(Labels),
    createdAt: isoDate(Created),
  }
}
