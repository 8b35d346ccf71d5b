import type { IndexedImage, IndexedNetwork, IndexedRow, IndexedVolume } from '../objects'

/** Rows of dock-1 for tests, each with what a test wants of it. */
const common = {
  dock: 'dock-1',
  createdAt: '2026-01-01T00:00:00.000Z',
  observedAt: '2026-01-01T00:00:00.000Z',
}

export const containerRowOf = (start: string, more: Partial<IndexedRow> = {}): IndexedRow => ({
  ...common,
  id: start.padEnd(64, '0'),
  name: `name-${start}`,
  image: 'busybox',
  state: 'running',
  status: 'Up 2 minutes',
  owner: null,
  labels: {},
  ...more,
})

export const imageRowOf = (id: string, more: Partial<IndexedImage> = {}): IndexedImage => ({
  ...common,
  id: `sha256:${id}`,
  tags: [`${id}:latest`],
  digests: [],
  size: 1_000,
  ...more,
})

export const volumeRowOf = (name: string, more: Partial<IndexedVolume> = {}): IndexedVolume => ({
  ...common,
  name,
  driver: 'local',
  scope: 'local',
  labels: {},
  ...more,
})

export const networkRowOf = (start: string, more: Partial<IndexedNetwork> = {}): IndexedNetwork => ({
  ...common,
  id: start.padEnd(64, '0'),
  name: `net-${start}`,
  driver: 'bridge',
  scope: 'local',
  internal: false,
  labels: {},
  ...more,
})
