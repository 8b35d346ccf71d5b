import { useFleet } from '../../../test/support/fleet-on-redis'
import type { IndexedRow } from './index'

const use = useFleet()
const index = () => use.fleet().index

const id = (start: string): string => start.padEnd(64, '0')

const rowOf = (start: string, name: string, dock: string, more: Partial<IndexedRow> = {}): IndexedRow => ({
  id: id(start),
  name,
  dock,
  image: 'busybox',
  state: 'running',
  status: 'Up',
  owner: null,
  labels: {},
  createdAt: '2026-01-01T00:00:00.000Z',
  observedAt: '2026-01-01T00:00:00.000Z',
  ...more,
})

beforeEach(async () => {
  await use.fleet().docks.register('dock-1')
  await use.fleet().docks.register('dock-2')
})

const keysLeft = () => use.redis().keys(`${use.fleet().prefix}:container*`)

test('a row that was written is read again as it was', async () => {
  const row = rowOf('abcd', 'web', 'dock-1', { labels: { ключ: 'größe "🐳"\n', 'a b': '' }, owner: 'anna' })
  await expect(index().write('dock-1', [row], [])).resolves.toBe(true)
  await expect(index().rows('dock-1')).resolves.toEqual([row])
  await expect(index().rowsOf(['dock-2', 'dock-1'])).resolves.toEqual([[], [row]])
})

test.each([
  ['the full id', id('abcd12')],
  ['a prefix of 4', 'abcd'],
  ['a longer prefix', 'abcd12000'],
  ['the name', 'web'],
])('a container is found by %s', async (_, reference) => {
  await index().write('dock-1', [rowOf('abcd12', 'web', 'dock-1'), rowOf('abce', 'web-2', 'dock-1')], [])
  await expect(index().locate(reference)).resolves.toMatchObject({ id: id('abcd12'), dock: 'dock-1' })
})

test.each([
  ['nobody has', 'nothing'],
  ['is the begin of a name', 'we'],
  ['is the end of an id', '0000'],
  ['is a prefix in capitals', 'ABCD'],
  ['is three digits of an id', 'abc'],
  ['would match all as a pattern', '*'],
])('what %s is not found', async (_, reference) => {
  await index().write('dock-1', [rowOf('abcd', 'web', 'dock-1')], [])
  await expect(index().locate(reference)).rejects.toMatchObject({ code: 'container_not_found', status: 404 })
})

test('a prefix or a name of several containers is refused, with all of them to choose from', async () => {
  await index().write('dock-1', [rowOf('abcd1', 'web', 'dock-1')], [])
  await index().write('dock-2', [rowOf('abcd2', 'web', 'dock-2')], [])
  for (const reference of ['abcd', 'web']) {
    await expect(index().locate(reference)).rejects.toMatchObject({
      code: 'ambiguous_container',
      status: 409,
      details: {
        candidates: [
          { id: id('abcd1'), name: 'web', dock: 'dock-1' },
          { id: id('abcd2'), name: 'web', dock: 'dock-2' },
        ],
      },
    })
  }
  await expect(index().locate('web', 'dock-2')).resolves.toMatchObject({ dock: 'dock-2' })
  await expect(index().locate('web', 'dock-3')).rejects.toMatchObject({ code: 'container_not_found' })
})

test('a name that is also the begin of another container’s id is refused', async () => {
  await index().write('dock-1', [rowOf('cafe', 'web', 'dock-1'), rowOf('1111', 'cafe', 'dock-1')], [])
  await expect(index().locate('cafe')).rejects.toMatchObject({ code: 'ambiguous_container' })
})

test('a name that very many docks have is found on the one that is meant', async () => {
  const docks = Array.from({ length: 60 }, (_, n) => `many-${n}`)
  for (const [n, dock] of docks.entries()) {
    await use.fleet().docks.register(dock)
    await index().write(dock, [rowOf(`abcd${n.toString(16).padStart(4, '0')}`, 'web', dock)], [])
  }
  for (const dock of docks) await expect(index().locate('web', dock)).resolves.toMatchObject({ dock })
  await expect(index().locate('abcd', 'many-59')).resolves.toMatchObject({ dock: 'many-59' })
})

describe('for somebody who may not know all of them', () => {
  const ofAnna = ({ owner }: IndexedRow): boolean => owner === 'anna'

  test('a container is found among others of that name, however many these are', async () => {
    const others = Array.from({ length: 60 }, (_, n) => `dock-a${n}`)
    for (const [n, dock] of [...others, 'dock-2'].entries()) {
      await use.fleet().docks.register(dock)
      const owner = dock === 'dock-2' ? 'anna' : 'ben'
      await index().write(dock, [rowOf(`abcd${n.toString(16).padStart(4, '0')}`, 'web', dock, { owner })], [])
    }
    for (const reference of ['web', 'abcd']) {
      await expect(index().locate(reference, undefined, ofAnna)).resolves.toMatchObject({ dock: 'dock-2' })
    }
  })

  test('one that is hidden is answered as one that is not there', async () => {
    const tell = async () =>
      JSON.stringify(
        await index()
          .locate('web', undefined, ofAnna)
          .catch((error: Error) => error.message),
      )
    const missing = await tell()
    await index().write('dock-1', [rowOf('abcd', 'web', 'dock-1', { owner: 'ben' })], [])
    expect(await tell()).toBe(missing)
    expect(missing).toContain('expected a container in the fleet')
  })

  test('candidates are told that he may know, and no others', async () => {
    for (const [n, owner] of ['anna', 'anna', 'ben'].entries()) {
      await index().write('dock-1', [rowOf(`abcd${n}`, `web-${n}`, 'dock-1', { owner })], [])
    }
    const error = await index()
      .locate('abcd', undefined, ofAnna)
      .catch((error: unknown) => error)
    expect(error).toMatchObject({ details: { candidates: [{ name: 'web-0' }, { name: 'web-1' }] } })
    expect(JSON.stringify(error)).not.toContain('web-2')
  })
})

test('what somebody wrote among the rows of his dock leads nowhere else, and stands in nobody’s way', async () => {
  await index().write('dock-1', [rowOf('aa11', 'prod', 'dock-1')], [])
  await index().write('dock-2', [rowOf('bb22', 'tmp', 'dock-2'), rowOf('cc33', 'other', 'dock-2')], [])
  const rows = use.fleet().keys.containers('dock-2')
  const forged = [rowOf('aa11', 'prod', 'dock-1'), rowOf('aa11', 'prod', 'dock-2')].map((row) => JSON.stringify(row))
  for (const text of [...forged, '{garbage', 'null', '"text"', '{}']) {
    await use.redis().hset(rows, id('bb22'), text)
    await expect(index().locate('tmp', 'dock-2')).rejects.toMatchObject({ code: 'container_not_found' })
    expect((await index().rowsOf(['dock-2']))[0]?.map(({ dock }) => dock)).not.toContain('dock-1')
    expect((await index().rows('dock-2')).map(({ name }) => name)).toContain('other')
  }
})

test('how many containers an owner has is known, whatever becomes of them', async () => {
  const count = () => Promise.all(['anna', 'an', 'team:ops', 'null'].map((owner) => index().countOf(owner)))
  await index().write('dock-1', [rowOf('aa', 'a', 'dock-1', { owner: 'anna' }), rowOf('bb', 'b', 'dock-1')], [])
  await index().write('dock-2', [rowOf('cc', 'c', 'dock-2', { owner: 'anna' })], [])
  expect(await count()).toEqual([2, 0, 0, 0])
  await index().write('dock-1', [rowOf('aa', 'a', 'dock-1', { owner: 'team:ops' })], [])
  expect(await count()).toEqual([1, 0, 1, 0])
  await index().write('dock-2', [], [id('cc')])
  await use.fleet().docks.unregister('dock-1')
  expect(await count()).toEqual([0, 0, 0, 0])
})

test('a container that was renamed is found by its new name only', async () => {
  await index().write('dock-1', [rowOf('abcd', 'old', 'dock-1')], [])
  await index().write('dock-1', [rowOf('abcd', 'new', 'dock-1')], [])
  await expect(index().locate('new')).resolves.toMatchObject({ id: id('abcd') })
  await expect(index().locate('old')).rejects.toMatchObject({ code: 'container_not_found' })
})

test('a container that is gone leaves nothing behind', async () => {
  await index().write('dock-1', [rowOf('abcd', 'web', 'dock-1')], [])
  await index().write('dock-1', [], [id('abcd'), id('ffff')])
  await expect(index().locate('web')).rejects.toMatchObject({ code: 'container_not_found' })
  await expect(keysLeft()).resolves.toEqual([])
})

test('what one dock writes and removes leaves the rows of others alone', async () => {
  await index().write('dock-1', [rowOf('abcd', 'web', 'dock-1')], [])
  await index().write('dock-2', [rowOf('abcd', 'web', 'dock-2')], [])
  await index().write('dock-2', [], [id('abcd')])
  await expect(index().locate('abcd')).resolves.toMatchObject({ dock: 'dock-1' })
})

test('only a full list says when the dock was listed', async () => {
  await index().write('dock-1', [rowOf('abcd', 'web', 'dock-1')], [])
  await expect(use.fleet().docks.get('dock-1')).resolves.toMatchObject({ listedAt: null })
  const before = Date.now()
  await index().write('dock-1', [], [], true)
  const { listedAt } = await use.fleet().docks.get('dock-1')
  expect(Math.abs(new Date(listedAt as string).getTime() - before)).toBeLessThan(5_000)
})

test('a dock that is not registered cannot write rows', async () => {
  await expect(index().write('dock-9', [rowOf('abcd', 'web', 'dock-9')], [], true)).resolves.toBe(false)
  await expect(index().rows('dock-9')).resolves.toEqual([])
  await expect(keysLeft()).resolves.toEqual([])
})

test('unregistering a dock forgets all its rows and no other', async () => {
  const rows = Array.from({ length: 300 }, (_, n) => rowOf(`abcd${n}f`, `web-${n}`, 'dock-1'))
  await index().write('dock-1', rows, [])
  await index().write('dock-2', [rowOf('eeee', 'other', 'dock-2')], [])
  await use.fleet().docks.unregister('dock-1')
  await expect(index().rows('dock-1')).resolves.toEqual([])
  await expect(index().locate('web-7')).rejects.toMatchObject({ code: 'container_not_found' })
  await expect(index().locate('other')).resolves.toMatchObject({ dock: 'dock-2' })
  await expect(keysLeft()).resolves.toHaveLength(3)
})

test('a write of several thousand rows is one write', async () => {
  const rows = Array.from({ length: 3_000 }, (_, n) => rowOf(n.toString(16).padStart(8, '0'), `c${n}`, 'dock-1'))
  await index().write('dock-1', rows, [], true)
  await expect(index().rows('dock-1')).resolves.toHaveLength(3_000)
})
