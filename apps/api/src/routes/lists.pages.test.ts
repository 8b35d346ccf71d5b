import { askList, type ListPage, rowOf, useCopies } from '../../../../test/support/fleet-copies'
import type { FleetCopy } from '../live/fleet-copy'

const { copyOf, fleet } = useCopies()

/** Every page of a list, one after the other. */
async function pages(copy: FleetCopy, query: Record<string, unknown>, between = async () => {}): Promise<ListPage[]> {
  const found: ListPage[] = []
  let cursor: string | null = null
  do {
    const page: ListPage = await askList(copy, { ...query, ...(cursor !== null && { cursor }) })
    found.push(page)
    cursor = page.nextCursor
    await between()
  } while (cursor !== null)
  return found
}

describe('the pages of a list', () => {
  test.each(['dock', '-dock', 'name', '-name', 'createdAt', '-image', 'state'])(
    'are together the list, each row once, sorted by %s',
    async (sort) => {
      const rows = Array.from({ length: 97 }, (_, n) =>
        rowOf(`dock-${n % 5}`, 1 + ((n * 37) % 97), {
          name: `web-${(n * 7) % 13}`,
          image: `image-${n % 3}`,
          state: n % 2 ? 'running' : 'exited',
          createdAt: new Date(n % 11).toISOString(),
        }),
      )
      const copy = await copyOf(rows)
      const whole = (await askList(copy, { sort, limit: 1_000 })).items
      expect(whole).toHaveLength(97)
      const found = await pages(copy, { sort, limit: 10 })
      expect(found.flatMap(({ items }) => items)).toEqual(whole)
      expect(found).toHaveLength(10)
    },
  )

  test('go on behind rows of whatever names', async () => {
    const odd = (n: number, character: string) =>
      rowOf(`dock-${'x'.repeat(200)}`, n, {
        name: `${String(n).padStart(3)}${character.repeat(300)}`,
        image: character.repeat(300),
      })
    const copy = await copyOf(['\u0001', '\u001f', '€', '"'].map((character, n) => odd(n, character)))
    for (const sort of ['dock', 'name', 'image']) {
      const found = await pages(copy, { sort, limit: 1 })
      expect(found.flatMap(({ items }) => items)).toHaveLength(4)
    }
  })

  test.each(['dock', '-name', 'createdAt'])(
    'have each row that stays exactly once while others come and go, sorted by %s',
    async (sort) => {
      const rows = Array.from({ length: 120 }, (_, n) => rowOf(`dock-${n % 4}`, 1 + n, { name: `web-${(n * 7) % 31}` }))
      const copy = await copyOf(rows)
      let turn = 0
      const found = await pages(copy, { sort, limit: 7 }, async () => {
        turn++
        const dock = `dock-${turn % 4}`
        // Every second row stays; the others go, and new ones come everywhere.
        const gone = rows.filter((row, n) => n % 2 === 1 && row.dock === dock).slice(0, turn)
        const added = rowOf(dock, 10_000 + turn, { name: `web-${turn % 31}` })
        await fleet().index.write(
          dock,
          [added],
          gone.map(({ id }) => id),
        )
      })
      const ids = found.flatMap(({ items }) => items.map(({ id }) => id))
      expect(new Set(ids).size).toBe(ids.length)
      const stayed = rows.filter((_, n) => n % 2 === 0).map(({ id }) => id)
      expect(stayed.filter((id) => !ids.includes(id))).toEqual([])
    },
  )
})
