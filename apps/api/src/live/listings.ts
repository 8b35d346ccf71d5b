import type { IndexedObjects, ObjectKind } from '@deblox/fleet/objects'
import type { Listing } from './list'

/** How each kind is listed: what it can be sorted by and counted by, and what of it can be asked for. */
export const listings: { [Kind in ObjectKind]: Listing<Kind> & { fields: readonly (keyof IndexedObjects[Kind])[] } } = {
  container: {
    kind: 'container',
    name: ({ name }) => name,
    id: ({ id }) => id,
    sorts: {
      dock: ({ dock }) => dock,
      name: ({ name }) => name,
      state: ({ state }) => state,
      createdAt: ({ createdAt }) => createdAt,
      image: ({ image }) => image,
    },
    facets: {
      dock: ({ dock }) => dock,
      state: ({ state }) => state,
      owner: ({ owner }) => owner,
      image: ({ image }) => image,
      health: ({ health }) => health ?? null,
    },
    fields: [
      'id',
      'name',
      'dock',
      'image',
      'state',
      'status',
      'owner',
      'labels',
      'health',
      'ports',
      'createdAt',
      'observedAt',
    ],
  },
  image: {
    kind: 'image',
    name: ({ tags }) => tags[0] ?? '',
    id: ({ id }) => id,
    sorts: {
      dock: ({ dock }) => dock,
      name: ({ tags }) => tags[0] ?? '',
      // As text that sorts as the number does.
      size: ({ size }) => String(Math.round(Math.max(0, size))).padStart(16, '0'),
      createdAt: ({ createdAt }) => createdAt,
    },
    facets: { dock: ({ dock }) => dock },
    fields: ['id', 'dock', 'tags', 'digests', 'size', 'createdAt', 'observedAt'],
  },
  volume: {
    kind: 'volume',
    name: ({ name }) => name,
    id: ({ name }) => name,
    sorts: {
      dock: ({ dock }) => dock,
      name: ({ name }) => name,
      driver: ({ driver }) => driver,
      createdAt: ({ createdAt }) => createdAt,
    },
    facets: { dock: ({ dock }) => dock, driver: ({ driver }) => driver },
    fields: ['name', 'dock', 'driver', 'scope', 'labels', 'createdAt', 'observedAt'],
  },
  network: {
    kind: 'network',
    name: ({ name }) => name,
    id: ({ id }) => id,
    sorts: {
      dock: ({ dock }) => dock,
      name: ({ name }) => name,
      driver: ({ driver }) => driver,
      createdAt: ({ createdAt }) => createdAt,
    },
    facets: { dock: ({ dock }) => dock, driver: ({ driver }) => driver, scope: ({ scope }) => scope },
    fields: ['id', 'name', 'dock', 'driver', 'scope', 'internal', 'labels', 'createdAt', 'observedAt'],
  },
}
