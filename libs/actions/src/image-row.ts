import type Docker from 'dockerode'

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
  const { Id, RepoTags, RepoDigests, Size, Created } = listed
  // Docker sends null for an image without labels, whatever the types say.
  const labels: Record<string, string> | null = listed.Labels
  return {
    id: Id,
    dock,
    tags: named(RepoTags),
    digests: named(RepoDigests),
    size: Size,
    labels: labels ?? {},
    createdAt: new Date(Created * 1000).toISOString(),
  }
}

/** Docker writes `<none>:<none>` where there is no name. */
const named = (references: string[] | null | undefined): string[] =>
  (references ?? []).filter((reference) => !reference.startsWith('<none>'))
