import fc from 'fast-check'
import { difference, type IndexedRow } from './index'

const rowOf = (id: string, state: string, observedAt: string): IndexedRow => ({
  id,
  name: `container-${id}`,
  dock: 'd1',
  image: 'busybox',
  state,
  status: state,
  owner: null,
  labels: {},
  createdAt: '2026-01-01T00:00:00.000Z',
  observedAt,
})

/** Lists of rows with different ids, few enough for both lists to share some. */
const rows = (observedAt: string) =>
  fc.uniqueArray(
    fc
      .tuple(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), fc.constantFrom('running', 'exited'))
      .map(([id, state]) => rowOf(id, state, observedAt)),
    { selector: ({ id }) => id },
  )

/** The index after the changes, as plainly as it can be said. */
function applied(indexed: IndexedRow[], { changed, gone }: ReturnType<typeof difference>): Map<string, string> {
  const index = new Map(indexed.map(({ id, state }) => [id, state]))
  for (const id of gone) index.delete(id)
  for (const { id, state } of changed) index.set(id, state)
  return index
}

test('makes of any index what the list says', () => {
  fc.assert(
    fc.property(rows('then'), rows('now'), (indexed, listed) => {
      expect(applied(indexed, difference(indexed, listed))).toEqual(new Map(listed.map(({ id, state }) => [id, state])))
    }),
  )
})

test('changes nothing that is as it was, whenever it was seen', () => {
  fc.assert(
    fc.property(rows('then'), (indexed) => {
      const seenAgain = indexed.map((row) => ({ ...row, observedAt: 'now' })).toReversed()
      expect(difference(indexed, seenAgain)).toEqual({ changed: [], gone: [] })
    }),
  )
})

test('writes as little as it can', () => {
  fc.assert(
    fc.property(rows('then'), rows('now'), (indexed, listed) => {
      const { changed, gone } = difference(indexed, listed)
      const before = new Map(indexed.map(({ id, state }) => [id, state]))
      expect(changed.every(({ id, state }) => before.get(id) !== state)).toBe(true)
      expect(gone.every((id) => before.has(id) && !listed.some((row) => row.id === id))).toBe(true)
    }),
  )
})
