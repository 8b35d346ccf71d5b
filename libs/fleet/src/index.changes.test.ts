import fc from 'fast-check'
import { useFleet } from '../../../test/support/fleet-on-redis'
import { difference, type IndexedRow } from './index'
import { containerRowOf, imageRowOf, networkRowOf, volumeRowOf } from './testing/rows'
import { toldIn, words } from './testing/told'

const use = useFleet()
const index = () => use.fleet().index
const docks = () => use.fleet().docks
const told = () => toldIn(use.fleet())

beforeEach(async () => {
  await docks().register('dock-1')
  await told()
})

const web = containerRowOf('aa')
const later = '2026-01-01T00:00:20.000Z'

describe('of containers', () => {
  test('what is new, other or gone is told with its row, in the order in which it was written', async () => {
    await index().write('dock-1', [web, containerRowOf('bb')], [])
    await index().write('dock-1', [{ ...web, state: 'exited' }], [containerRowOf('bb').id])
    const changes = await told()
    expect(changes).toMatchObject([
      { kind: 'container', op: 'set', dock: 'dock-1', object: web.id, row: web },
      { op: 'set', row: containerRowOf('bb') },
      { op: 'set', row: { ...web, state: 'exited' } },
      { op: 'gone', row: containerRowOf('bb') },
    ])
    for (const { id, at } of changes) {
      expect(id).toMatch(/^\d+-\d+$/)
      expect(at).toBe(new Date(Number(id.split('-')[0])).toISOString())
    }
  })

  test.each<[string, Partial<IndexedRow>, string[]]>([
    ['has been seen again', {}, []],
    ['says that more time has passed', { status: 'Up 3 minutes' }, []],
    ['is healthy now', { status: 'Up 3 minutes (healthy)', health: 'healthy' }, ['set']],
    ['ended in another way', { status: 'Exited (137) 1 second ago' }, ['set']],
    ['was renamed', { name: 'other' }, ['set']],
    ['has another owner', { owner: 'anna', labels: { 'deblox.owner': 'anna' } }, ['gone', 'set']],
    ['says by a label what looks like a sentence', { labels: { a: '","status":"Up"' } }, ['set']],
  ])('a row that %s is written, and told of only where that is news', async (_, more, ops) => {
    await index().write('dock-1', [web], [])
    await told()
    const now = { ...web, ...more, observedAt: later }
    await index().write('dock-1', [now], [], true)
    expect((await told()).map(({ op }) => op)).toEqual(ops)
    await expect(index().rows('dock-1')).resolves.toEqual([now])
  })

  test('what was gone already, or is another dock’s, is not told', async () => {
    await index().write('dock-1', [], [web.id])
    await index().write('dock-2', [{ ...web, dock: 'dock-2' }], [])
    expect(await told()).toEqual([])
  })

  test('one that is given to somebody else is gone for whoever had it', async () => {
    const [hers, his] = ['anna', 'ben'].map((owner) => containerRowOf('aa', { owner })) as [IndexedRow, IndexedRow]
    await index().write('dock-1', [hers], [])
    await index().write('dock-1', [his], [])
    expect((await told()).map(({ op, row }) => [op, row])).toEqual([
      ['set', hers],
      ['gone', hers],
      ['set', his],
    ])
  })

  test('a row that somebody spoilt is told as gone, without it', async () => {
    await use.redis().hset(use.fleet().keys.containers('dock-1'), web.id, '{garbage')
    await index().write('dock-1', [], [web.id])
    expect(await told()).toMatchObject([{ op: 'gone', object: web.id, row: null }])
  })

  test('a row too long for the stream is told without it', async () => {
    const labels = { long: 'x'.repeat(20_000) }
    await index().write('dock-1', [{ ...web, labels }], [])
    expect(await told()).toMatchObject([{ op: 'set', object: web.id, row: null }])
    await expect(index().rows('dock-1')).resolves.toMatchObject([{ labels }])
  })

  test('a row keeps its owner, whether a label tells him or not, and no proof of it', async () => {
    const { keys } = use.fleet()
    const rows = [
      containerRowOf('aa', { owner: 'anna', labels: { 'deblox.owner': 'anna', a: 'b' } }),
      containerRowOf('bb', { owner: 'anna' }),
      containerRowOf('cc', { owner: 'anna', labels: { 'deblox.owner': 'ben' } }),
      containerRowOf('dd', { owner: null, labels: { 'deblox.owner': 'ben' } }),
    ]
    await index().write('dock-1', [...rows, { ...web, id: 'ee'.padEnd(64, '0'), labels: { 'deblox.sig': 'x' } }], [])
    const read = await index().rows('dock-1')
    for (const row of rows) expect(read).toContainEqual(row)
    expect((await use.redis().hvals(keys.containers('dock-1'))).join()).not.toContain('deblox.sig')
    await expect(Promise.all([index().countOf('anna'), index().countOf('ben')])).resolves.toEqual([3, 0])
  })
})

describe('of images, volumes and networks', () => {
  test('a list is told by what differs from the one before', async () => {
    const [one, two] = [imageRowOf('one'), imageRowOf('two')]
    await index().settle('image', 'dock-1', [one, two])
    await index().settle('image', 'dock-1', [
      { ...one, observedAt: later },
      { ...two, tags: [] },
    ])
    await index().settle('image', 'dock-1', [one])
    expect(words(await told())).toEqual([
      'image set sha256:one',
      'image set sha256:two',
      'image set sha256:two',
      'image gone sha256:two',
    ])
    await expect(index().objects('image', 'dock-1')).resolves.toEqual([one])
  })

  test('each kind has its own rows, and says when it was listed', async () => {
    const [volume, network] = [volumeRowOf('data', { labels: { a: 'b' } }), networkRowOf('ab', { internal: true })]
    await index().settle('volume', 'dock-1', [volume])
    await index().settle('network', 'dock-1', [network])
    expect((await told()).map(({ kind, object, row }) => [kind, object, row])).toEqual([
      ['volume', 'data', volume],
      ['network', network.id, network],
    ])
    await expect(index().objects('volume', 'dock-1')).resolves.toEqual([volume])
    await expect(index().objects('network', 'dock-1')).resolves.toEqual([network])
    const fields = await use.redis().hkeys(use.fleet().keys.dock('dock-1'))
    expect(fields.sort()).toEqual(['listed:network', 'listed:volume'])
  })

  test('a list that is not complete removes nothing', async () => {
    await index().settle('volume', 'dock-1', [volumeRowOf('a'), volumeRowOf('b')])
    await index().settle('volume', 'dock-1', [volumeRowOf('c')], false)
    await expect(index().objects('volume', 'dock-1')).resolves.toHaveLength(3)
  })

  test('a dock that is not registered cannot write any, and one that was removed leaves none', async () => {
    await expect(index().settle('image', 'dock-2', [imageRowOf('one', { dock: 'dock-2' })])).resolves.toBe(false)
    await index().settle('image', 'dock-1', [imageRowOf('one')])
    await index().settle('volume', 'dock-1', [volumeRowOf('a')])
    await index().settle('network', 'dock-1', [networkRowOf('a')])
    await told()
    await docks().unregister('dock-1')
    expect(await told()).toMatchObject([{ kind: 'dock', op: 'gone', dock: 'dock-1', object: 'dock-1', row: null }])
    const { images, volumes, networks } = use.fleet().keys
    await expect(use.redis().exists(images('dock-1'), volumes('dock-1'), networks('dock-1'))).resolves.toBe(0)
    for (const kind of ['image', 'volume', 'network'] as const) {
      await expect(index().objects(kind, 'dock-1')).resolves.toEqual([])
    }
  })

  test('what somebody put in their place stands in nobody’s way', async () => {
    const { keys } = use.fleet()
    await use.redis().set(keys.images('dock-1'), 'text')
    await expect(index().objects('image', 'dock-1')).resolves.toEqual([])
    await index().settle('image', 'dock-1', [imageRowOf('one')])
    await use.redis().hset(keys.images('dock-1'), 'sha256:two', JSON.stringify(imageRowOf('one')), 'x', '{')
    await expect(index().objects('image', 'dock-1')).resolves.toEqual([imageRowOf('one')])
  })
})

test('a change costs one round trip, told or not', async () => {
  const write = () => index().write('dock-1', [web], [containerRowOf('bb').id])
  const settle = (tags: string[]) => index().settle('image', 'dock-1', [imageRowOf('one', { tags })])
  // So that Redis knows the scripts.
  await write()
  await settle([])
  const sent = jest.spyOn(use.redis(), 'sendCommand')
  try {
    await index().write('dock-1', [{ ...web, state: 'exited' }], [])
    expect(sent).toHaveBeenCalledTimes(1)
    await settle(['a:1'])
    expect(sent).toHaveBeenCalledTimes(2)
  } finally {
    sent.mockRestore()
  }
})

test('whatever is written, the changes in their order make what the index says', async () => {
  const ids = fc.constantFrom('aa', 'bb', 'cc', 'dd')
  const row = fc
    .tuple(ids, fc.constantFrom('running', 'exited'), fc.constantFrom('a', 'b'))
    .map(([start, state, name]) => containerRowOf(start, { state, name }))
  const lists = fc.array(fc.uniqueArray(row, { selector: ({ id }) => id }), { maxLength: 6 })
  await fc.assert(
    fc.asyncProperty(lists, async (all) => {
      const replayed = new Map((await index().rows('dock-1')).map((one) => [one.id, one]))
      for (const listed of all) {
        const { changed, gone } = difference(await index().rows('dock-1'), listed)
        await index().write('dock-1', changed, gone, true)
      }
      for (const { op, object, row: one } of await told()) {
        if (op === 'gone') replayed.delete(object)
        else replayed.set(object, one as IndexedRow)
      }
      const byId = (rows: IndexedRow[]) => rows.toSorted((a, b) => (a.id < b.id ? -1 : 1))
      expect(byId([...replayed.values()])).toEqual(byId(await index().rows('dock-1')))
    }),
    { numRuns: 50 },
  )
})
