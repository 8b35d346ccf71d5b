import type Docker from 'dockerode'
import { isoTime, text, textsOf } from './container-row'

/** An image as lists show it. */
export interface ImageRow {
  id: string
  dock: string
  /** References such as `ubuntu:24.04`; none for an image that has lost its last one. */
  tags: string[]
  digests: string[]
  /** Bytes. */
  size: number
  labels: Record<string, string>
  /** ISO 8601. */
  createdAt: string
}

/** The row of one entry of Docker's own list. */
export function imageRow(listed: Docker.ImageInfo, dock: string): ImageRow {
  const { Id, RepoTags, RepoDigests, Size, Labels, Created } = listed as unknown as Record<string, unknown>
  return {
    id: text(Id),
    dock,
    tags: named(RepoTags),
    digests: named(RepoDigests),
    size: typeof Size === 'number' ? Size : 0,
    labels: textsOf(Labels),
    createdAt: isoTime(Created),
  }
}

/** Docker writes `<none>:<none>` where there is no name, and null where there are none. */
const named = (references: unknown): string[] =>
  Array.isArray(references)
    ? references.filter((reference) => typeof reference === 'string' && !reference.startsWith('<none>'))
    : []
