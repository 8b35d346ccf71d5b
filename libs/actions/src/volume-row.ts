import type Docker from 'dockerode'
import { isoDate, text, textsOf } from './container-row'

/** A volume as lists show it. */
export interface VolumeRow {
  name: string
  dock: string
  driver: string
  /** `local`, or `global` for one that all hosts of a cluster share. */
  scope: string
  labels: Record<string, string>
  /** ISO 8601. */
  createdAt: string
}

/** The row of one entry of Docker's own list. */
export function volumeRow(listed: Docker.VolumeInspectInfo, dock: string): VolumeRow {
  const { Name, Driver, Scope, Labels, CreatedAt } = listed as unknown as Record<string, unknown>
  return {
    name: text(Name),
    dock,
    driver: text(Driver),
    scope: text(Scope),
    labels: textsOf(Labels),
    createdAt: isoDate(CreatedAt),
  }
}
