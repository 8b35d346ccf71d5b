import { viewOf } from '@deblox/actions/access/decide'
import type { Identity } from '@deblox/actions/access/identity'
import {
  askList,
  fullIdOf,
  imageOf,
  type ListPage,
  networkOf,
  rowOf,
  useCopies,
  volumeOf,
} from '../../../../test/support/fleet-copies'

const { begin, copyOf, docksWith, fleet } = useCopies()

const namesOf = ({ items }: ListPage): string[] => items.map(({ name }) => name)

const many = [
  rowOf('dock-1', 1, { name: 'web-a', state: 'running', image: 'nginx:1', owner: 'anna', health: 'healthy' }),
  rowOf('dock-1', 2, { name: 'web-b', state: 'exited', image: 'nginx:2', owner: 'ben', labels: { tier: 'front' } }),
  rowOf('dock-2', 3, { name: 'db', state: 'running', image: 'team/postgres', owner: null, labels: { tier: 'back' } }),
  rowOf('dock-2', 4, { name: 'web-a', state: 'paused', image: 'nginx:1', owner: 'anna', health: 'unhealthy' }),
  rowOf('dock-3', 5, { name: 'job', state: 'running', image: 'busybox', owner: 'team:crew', labels: { 'a=b': 'c' } }),
]

describe('a list of containers', () => {
  test('is sorted by dock and name, and says of each row when it was seen and whether its dock lives', async () => {
    const copy = await copyOf(many.toReversed())
    const { items, nextCursor } = await askList(copy)
    expect(items.map(({ dock, name }) => `${dock} ${name}`)).toEqual([
      'dock-1 web-a',
      'dock-1 web-b',
      'dock-2 db',
      'dock-2 web-a',
      'dock-3 job',
    ])
    expect(nextCursor).toBeNull()
    expect(items[0]).toEqual({ ...many[0], stale: true })
    await fleet().docks.acquireLease('dock-1', 'me')
    await fleet().index.write('dock-1', [], [], true)
    const again = (await askList(copy)).items
    expect(again.map(({ stale }) => stale)).toEqual([false, false, true, true, true])
    expect(Date.parse(String(again[0]?.['observedAt']))).toBeGreaterThan(Date.now() - 60_000)
    expect(again[4]?.['observedAt']).toBe(many[4]?.observedAt)
  })

  test.each([
    [{ dock: 'dock-2' }, ['db', 'web-a']],
    [{ dock: ['dock-3', 'dock-1'] }, ['web-a', 'web-b', 'job']],
    [{ owner: 'anna' }, ['web-a', 'web-a']],
    [{ owner: ['ben', 'team:crew'] }, ['web-b', 'job']],
    [{ state: 'running' }, ['web-a', 'db', 'job']],
    [{ state: ['exited', 'paused'] }, ['web-b', 'web-a']],
    [{ name: 'eb' }, ['web-a', 'web-b', 'web-a']],
    [{ name: '*b' }, ['web-b', 'db', 'job']],
    [{ name: 'web-?' }, ['web-a', 'web-b', 'web-a']],
    [{ image: 'nginx' }, ['web-a', 'web-b', 'web-a']],
    [{ image: 'nginx:?' }, ['web-a', 'web-b', 'web-a']],
    [{ image: '*gres' }, ['db']],
    [{ label: 'tier' }, ['web-b', 'db']],
    [{ label: 'tier=back' }, ['db']],
    [{ label: ['tier', 'tier=front'] }, ['web-b']],
    [{ label: 'toString' }, []],
    [{ health: 'healthy' }, ['web-a']],
    [{ health: 'none' }, ['web-b', 'db', 'job']],
    [{ health: ['healthy', 'unhealthy'], dock: 'dock-2' }, ['web-a']],
    [{ state: 'running', owner: 'anna', image: 'nginx' }, ['web-a']],
  ])('has of %j %j', async (query, names) => {
    expect(namesOf(await askList(await copyOf(many), query))).toEqual(names)
  })

  test.each([
    ['name', ['db', 'job', 'web-a', 'web-a', 'web-b']],
    ['-name', ['web-b', 'web-a', 'web-a', 'job', 'db']],
    ['state', ['web-b', 'web-a', 'web-a', 'db', 'job']],
    ['-state', ['web-a', 'db', 'job', 'web-a', 'web-b']],
    ['image', ['job', 'web-a', 'web-a', 'web-b', 'db']],
    ['-dock', ['job', 'db', 'web-a', 'web-a', 'web-b']],
  ])('is sorted by %s', async (sort, names) => {
    expect(namesOf(await askList(await copyOf(many), { sort }))).toEqual(names)
  })

  test('counts by facets what is left by all other filters', async () => {
    const copy = await copyOf(many)
    const { items, facets } = await askList(copy, {
      facets: 'dock,state,owner,image,health',
      state: 'running',
      limit: 1,
    })
    expect(items).toHaveLength(1)
    expect(facets).toEqual({
      dock: ['dock-1', 'dock-2', 'dock-3'].map((value) => ({ value, count: 1 })),
      state: [
        { value: 'running', count: 3 },
        { value: 'exited', count: 1 },
        { value: 'paused', count: 1 },
      ],
      owner: ['anna', null, 'team:crew'].map((value) => ({ value, count: 1 })),
      image: ['busybox', 'nginx:1', 'team/postgres'].map((value) => ({ value, count: 1 })),
      health: [
        { value: null, count: 2 },
        { value: 'healthy', count: 1 },
      ],
    })
    const byDock = await askList(copy, { facets: 'dock', dock: 'dock-2' })
    expect(namesOf(byDock)).toEqual(['db', 'web-a'])
    expect(byDock.facets?.['dock']?.map(({ count }) => count)).toEqual([2, 2, 1])
  })

  test('has of each row only the fields that are asked for', async () => {
    const { items } = await askList(await copyOf(many), { fields: 'name,stale', limit: 1 })
    expect(items).toEqual([{ name: 'web-a', stale: true }])
  })

  test('refuses what it does not know', async () => {
    const copy = await copyOf(many)
    await expect(askList(copy, { dock: 'nowhere' })).rejects.toMatchObject({ code: 'dock_not_found' })
    await expect(askList(copy, { cursor: 'nonsense' })).rejects.toMatchObject({ code: 'invalid_request' })
    const { nextCursor } = await askList(copy, { limit: 1 })
    await expect(askList(copy, { cursor: nextCursor, sort: 'name' })).rejects.toMatchObject({ code: 'invalid_request' })
    for (const query of [
      { sort: 'labels' },
      { sort: '--name' },
      { facets: 'name' },
      { fields: 'secret' },
      { health: 'ill' },
    ]) {
      await expect(askList(copy, query)).rejects.toMatchObject({ name: 'ValidationError' })
    }
  })
})

describe('rights', () => {
  test('nobody is shown or told the number of what is not his', async () => {
    const copy = await copyOf(many)
    const grants = [{ id: 'g', to: 'ben', may: [], on: { labels: { tier: 'back' } }, by: 'root', at: '' }]
    const view = async (identity: Identity) => viewOf(identity, grants)
    const ask = (actor: string, query = {}) => askList(copy, query, { who: { actor, role: 'viewer' }, view })
    expect(namesOf(await ask('anna'))).toEqual(['web-a', 'web-a'])
    expect(namesOf(await ask('ben'))).toEqual(['web-b', 'db'])
    expect(await ask('carl', { facets: 'owner,dock' })).toEqual({
      items: [],
      nextCursor: null,
      facets: { owner: [], dock: [] },
    })
    const { facets } = await ask('ben', { facets: 'owner,state', limit: 1 })
    expect(facets?.['owner']?.map(({ value }) => value)).toEqual(['ben', null])
    expect((await ask('ben', { limit: 2 })).nextCursor).toBeNull()
  })

  test('a container that changes hands changes lists', async () => {
    const copy = await copyOf(many)
    const view = async (identity: Identity) => viewOf(identity, [])
    const of = async (actor: string) => namesOf(await askList(copy, {}, { who: { actor, role: 'viewer' }, view }))
    await fleet().index.write('dock-1', [rowOf('dock-1', 2, { name: 'web-b', owner: 'anna' })], [])
    expect([await of('anna'), await of('ben')]).toEqual([['web-a', 'web-b', 'web-a'], []])
  })
})

describe('the other lists', () => {
  test('have images, volumes and networks of all docks', async () => {
    await docksWith(0, 'dock-1', 'dock-2')
    const { index } = fleet()
    await index.settle('image', 'dock-1', [
      imageOf('dock-1', 2, ['app:2']),
      imageOf('dock-1', 1, ['app:1', 'app:latest']),
    ])
    await index.settle('image', 'dock-2', [imageOf('dock-2', 3)])
    await index.settle('volume', 'dock-2', [volumeOf('dock-2', 'data', { tier: 'back' }), volumeOf('dock-2', 'more')])
    await index.settle('network', 'dock-1', [networkOf('dock-1', 1, 'front'), networkOf('dock-1', 2, 'back')])
    const copy = await begin()
    const ask = (path: string, query = {}) => askList(copy, query, { path })
    const images = await ask('/v1/images')
    expect(images.items.map(({ id }) => id)).toEqual([1, 2, 3].map((n) => `sha256:${fullIdOf(n)}`))
    expect(images.items[2]).toEqual({ ...imageOf('dock-2', 3), observedAt: expect.any(String), stale: true })
    expect((await ask('/v1/images', { name: '*:latest' })).items).toHaveLength(1)
    expect((await ask('/v1/images', { sort: '-size', limit: 1 })).items[0]?.['size']).toBe(3_000)
    expect(namesOf(await ask('/v1/volumes', { sort: '-name' }))).toEqual(['more', 'data'])
    expect(namesOf(await ask('/v1/volumes', { label: 'tier=back' }))).toEqual(['data'])
    const networks = await ask('/v1/networks', { facets: 'driver,scope', scope: 'local' })
    expect(namesOf(networks)).toEqual(['back', 'front'])
    expect(networks.facets).toEqual({ driver: [{ value: 'bridge', count: 2 }], scope: [{ value: 'local', count: 2 }] })
    await index.settle('image', 'dock-2', [])
    expect((await ask('/v1/images')).items).toHaveLength(2)
  })
})
