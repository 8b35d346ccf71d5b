import fc from 'fast-check'
import { useFleet } from '../../../test/support/fleet-on-redis'
import { saysLua } from './index-scripts'
import { type IndexedObjects, type ObjectKind, rowText } from './objects'
import { containerRowOf, imageRowOf, networkRowOf, volumeRowOf } from './testing/rows'
import { toldIn } from './testing/told'

const use = useFleet()

/** Whether two stored rows of a kind say the same, as the scripts see it. */
async function same(kind: ObjectKind, one: string, other: string): Promise<boolean> {
  const says = kind === 'container' ? 'saysOfContainer' : 'says'
  return (await use.redis().eval(`${saysLua} return ${says}(ARGV[1]) == ${says}(ARGV[2])`, 0, one, other)) === 1
}

test('a volume that was made anew is written and told, whatever its labels are called', async () => {
  await use.fleet().docks.register('dock-1')
  await toldIn(use.fleet())
  const made = (status: string, tier: string, createdAt: string) => {
    const { createdAt: _, ...row } = volumeRowOf('data', { labels: { project: 'shop', status, tier } })
    // In the order of a worker's rows.
    return { ...row, createdAt }
  }
  await use.fleet().index.settle('volume', 'dock-1', [made('new', 'one', '2026-01-01T00:00:00Z')])
  const anew = made('old', 'two', '2026-02-01T00:00:00Z')
  await use.fleet().index.settle('volume', 'dock-1', [anew])
  await expect(use.fleet().index.objects('volume', 'dock-1')).resolves.toEqual([anew])
  expect(await toldIn(use.fleet())).toMatchObject([{ op: 'set' }, { op: 'set', row: anew }])
})

test.each([
  ['Up 2 minutes', 'Up About an hour', true],
  ['Up Less than a second (healthy)', 'Up 3 weeks (healthy)', true],
  ['Up 2 minutes (Paused)', 'Up 2 minutes', false],
  ['Up 2 minutes (healthy)', 'Up 2 minutes (unhealthy)', false],
  ['Exited (0) 1 second ago', 'Exited (0) 2 days ago', true],
  ['Exited (0) 1 second ago', 'Exited (137) 1 second ago', false],
  ['Restarting (1) 1 second ago', 'Exited (1) 1 second ago', false],
  ['Created', 'Dead', false],
  ['Up 2 minutes (a) (b)', 'Up 3 minutes (a) (c)', false],
])('of %j and %j, only how long it has been so may differ: %j', async (one, other, is) => {
  const [before, now] = [one, other].map((status) => rowText('container', containerRowOf('aa', { status })))
  expect(await same('container', before ?? '', now ?? '')).toBe(is)
})

describe('what is taken for the same', () => {
  const times = ['2 minutes', 'About an hour', 'Less than a second', '3 weeks']
  const forms = [
    (time: string) => `Up ${time}`,
    (time: string) => `Up ${time} (healthy)`,
    (time: string) => `Up ${time} (Paused)`,
    (time: string) => `Exited (0) ${time} ago`,
    (time: string) => `Restarting (1) ${time} ago`,
    () => 'Created',
  ]
  /** What looks like the end of a row, or a part of it. */
  const word = fc.oneof(
    fc.constantFrom('status', 'observedAt', 'Up 2 minutes', 'Up 3 minutes', '(healthy)', '","status":"Up 2 minutes'),
    fc.constantFrom(',"status":"Up 2 minutes"', '","observedAt":"x"}', '\\', '"', '\\","status":"', '}', ''),
    fc.string({ maxLength: 6 }),
  )
  const labels = fc.dictionary(word, word, { maxKeys: 4 })
  const status = fc.oneof(
    fc.record({ form: fc.nat(forms.length - 1), time: fc.constantFrom(...times) }),
    word.map((text) => ({ text })),
  )
  type Status = { form: number; time: string } | { text: string }
  const textOf = (one: Status): string => ('text' in one ? one.text : (forms[one.form]?.(one.time) ?? ''))
  const howLong = /(?<=^Up )[^()]*|(?<=^[A-Za-z]+ \(-?\d+\) )[^()]*$/

  const common = { createdAt: word, observedAt: word }
  const rows: { [Kind in ObjectKind]: fc.Arbitrary<IndexedObjects[Kind]> } = {
    container: fc
      .record({ ...common, name: word, image: word, labels, status: status.map(textOf), ports: fc.array(word) })
      .map((row) => containerRowOf('aa', row)),
    image: fc.record({ ...common, tags: fc.array(word), digests: fc.array(word) }).map((row) => imageRowOf('aa', row)),
    volume: fc.record({ ...common, driver: word, labels }).map((row) => volumeRowOf('aa', row)),
    network: fc.record({ ...common, name: word, driver: word, labels }).map((row) => networkRowOf('aa', row)),
  }

  /** What must be equal: all but when it was seen, and for how long a container has been as it is. */
  const said = (row: object): string => {
    const { status, ...rest } = row as { status?: string }
    return JSON.stringify({ ...rest, observedAt: '', ...(status !== undefined && { as: status.replace(howLong, '') }) })
  }

  test.each(Object.keys(rows) as ObjectKind[])(
    'of two rows of a %s is so but for the time that passes',
    async (kind) => {
      const row: fc.Arbitrary<object> = rows[kind]
      const names = Object.keys(fc.sample(row, 1)[0] ?? {})
      // Two of their own are seldom alike: the second one has a field or two of another. Their order is not always the same.
      const pair = fc
        .tuple(row, row, fc.subarray(names, { maxLength: 2 }), fc.shuffledSubarray(names, { minLength: names.length }))
        .map(([one, other, differing, order]) => {
          const made = (of: (name: string) => object) =>
            Object.fromEntries(
              order.map((name) => [name, of(name)[name as never]]),
            ) as unknown as IndexedObjects[ObjectKind]
          return [made(() => one), made((name) => (differing.includes(name) ? other : one))] as const
        })
      let alike = 0
      await fc.assert(
        fc.asyncProperty(pair, async ([one, other]) => {
          const isSame = await same(kind, rowText(kind, one), rowText(kind, other))
          if (isSame) alike++
          expect([isSame, said(other)]).toEqual([isSame, isSame ? said(one) : said(other)])
        }),
        { numRuns: 500 },
      )
      expect(alike).toBeGreaterThan(50)
    },
  )
})
