import { useFleet } from '../../../test/support/fleet-on-redis'
import { difference, type IndexedRow } from './index'

const use = useFleet()
const index = () => use.fleet().index
const rowsKey = () => use.fleet().keys.containers('dock-1')

const rowOf = (start: string, name: string): IndexedRow => ({
  id: start.padEnd(64, '0'),
  name,
  dock: 'dock-1',
  image: 'busybox',
  state: 'running',
  status: 'Up',
  owner: 'anna',
  labels: {},
  createdAt: '2026-01-01T00:00:00.000Z',
  observedAt: '2026-01-01T00:00:00.000Z',
})
const [web, api] = [rowOf('a', 'web'), rowOf('b', 'api')]

beforeEach(async () => {
  await use.fleet().docks.register('dock-1')
  await index().write('dock-1', [web, api], [])
})

/** What the dock's worker does with its full list. */
async function listAll(listed: IndexedRow[]): Promise<void> {
  const { changed, gone } = difference(await index().rows('dock-1'), listed, await index().idsOf('dock-1'))
  await index().write('dock-1', changed, gone, true)
}

const { labels: _labels, ...unlabelled } = web
const spoilt: [string, string][] = [
  ['is no JSON', '{garbage'],
  ['is null', 'null'],
  ['is a number', '1'],
  ['has no fields', '{}'],
  ['is nested too deep', '['.repeat(2_000) + ']'.repeat(2_000)],
  ['has no labels', JSON.stringify(unlabelled)],
  ['has labels that are no text', JSON.stringify({ ...web, labels: { a: {} } })],
  ['has an owner that is no text', JSON.stringify({ ...web, owner: { a: 1 } })],
  ['has a name that is no text', JSON.stringify({ ...web, name: ['web'] })],
  ['speaks of another container', JSON.stringify({ ...web, id: api.id })],
  ['speaks of another dock', JSON.stringify({ ...web, dock: 'dock-2' })],
]

describe.each(spoilt)('a row that %s', (_, json) => {
  beforeEach(() => use.redis().hset(rowsKey(), web.id, json))

  test('is as one that is not there; all others are', async () => {
    await expect(index().rows('dock-1')).resolves.toEqual([api])
    await expect(index().rowsOf(['dock-1'])).resolves.toEqual([[api]])
    await expect(index().rowsOwnedBy('anna')).resolves.toEqual([api])
    await expect(index().locate(web.id)).rejects.toMatchObject({ code: 'container_not_found' })
    await expect(index().locate('web')).rejects.toMatchObject({ code: 'container_not_found' })
    await expect(index().locate('api')).resolves.toEqual(api)
  })

  test('is mended by the full list, or removed where nothing is listed under its id', async () => {
    await listAll([web, api])
    await expect(index().locate('web')).resolves.toEqual(web)
    await use.redis().hset(rowsKey(), web.id, json)
    await listAll([api])
    await expect(index().idsOf('dock-1')).resolves.toEqual([api.id])
    await expect(index().locate(web.id)).rejects.toMatchObject({ code: 'container_not_found' })
  })
})

test('a row under an id that is none is removed by the full list', async () => {
  await use.redis().hset(rowsKey(), 'x', '{garbage')
  await listAll([web, api])
  expect((await index().idsOf('dock-1')).sort()).toEqual([web.id, api.id])
})

test('where something else stands in place of a dock’s rows, others’ are shown, and the full list mends it', async () => {
  await use.redis().set(rowsKey(), 'text')
  await expect(index().rowsOf(['dock-2', 'dock-1'])).resolves.toEqual([[], []])
  await expect(index().locate('web')).rejects.toMatchObject({ code: 'container_not_found' })
  await listAll([web, api])
  await expect(index().locate('web')).resolves.toEqual(web)
})

test('a dock is forgotten with rows that cannot be read', async () => {
  const { docks, keys } = use.fleet()
  for (const spoil of [
    () => use.redis().hset(rowsKey(), web.id, '{garbage'),
    () => use.redis().set(rowsKey(), 'text'),
  ]) {
    await docks.register('dock-1')
    await spoil()
    await docks.unregister('dock-1')
    await expect(use.redis().exists(keys.containers('dock-1'))).resolves.toBe(0)
  }
})
