import { useFleet } from '../../../test/support/fleet-on-redis'
import { compareChangeIds, mendChanges, parseChange } from './changes'
import { counts } from './names'
import { containerRowOf } from './testing/rows'
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

describe('the stream', () => {
  const key = () => use.fleet().keys.changes

  test('is capped', async () => {
    const { redis, keys } = use.fleet()
    const adds = redis.pipeline()
    for (let n = 0; n < counts.changes + 500; n++) adds.xadd(keys.changes, '*', 'k', 'job')
    await adds.exec()
    await index().write('dock-1', [web], [])
    const length = await redis.xlen(keys.changes)
    expect(length).toBeGreaterThanOrEqual(counts.changes)
    expect(length).toBeLessThan(counts.changes + 200)
  })

  test.each<[string, () => Promise<unknown>]>([
    [
      'has the greatest id that there is',
      () => use.redis().xadd(key(), `${2n ** 64n - 1n}-${2n ** 64n - 1n}`, 'k', 'v'),
    ],
    ['is a set', () => use.redis().sadd(key(), 'x')],
  ])('that %s keeps nothing from being written, and is begun anew', async (_, spoil) => {
    await spoil()
    await expect(index().write('dock-1', [web], [])).resolves.toBe(true)
    await expect(docks().register('dock-2')).resolves.toBeUndefined()
    await expect(mendChanges(use.redis(), use.fleet().keys)).resolves.toBe(true)
    await index().write('dock-1', [], [web.id])
    expect(words(await told())).toEqual([`container gone ${web.id.slice(0, 12)}`])
  })

  test('that can be added to, or is not there, is left as it is', async () => {
    const mend = () => mendChanges(use.redis(), use.fleet().keys)
    await expect(mend()).resolves.toBe(false)
    await index().write('dock-1', [web], [])
    await expect(mend()).resolves.toBe(false)
    expect(await told()).toHaveLength(1)
  })
})

describe('an entry', () => {
  const entry = { k: 'container', o: 'set', d: 'dock-1', i: web.id, r: JSON.stringify(web) }
  const parse = (fields: Record<string, string>, id = '1700000000000-3') =>
    parseChange([id, Object.entries(fields).flat()])

  test('is read as it was written', () => {
    const at = '2023-11-14T22:13:20.000Z'
    const { k, o, d, i } = entry
    expect(parse(entry)).toEqual({ id: '1700000000000-3', at, kind: k, op: o, dock: d, object: i, row: web })
  })

  test.each<[string, Record<string, string>]>([
    ['of no kind', { ...entry, k: 'toString' }],
    ['of no kind that there is', { ...entry, k: 'secret' }],
    ['with no word for what happened', { ...entry, o: 'exploded' }],
    ['without an object', { k: 'container', o: 'set', d: 'dock-1', r: '{}' }],
    ['with nothing', {}],
    ['of a dock by another’s name', { ...entry, k: 'dock' }],
  ])('%s is none', (_, fields) => expect(parse(fields)).toBeUndefined())

  test.each([
    ['is no JSON', '{'],
    ['is a list', '[]'],
    ['is of another container', JSON.stringify(containerRowOf('bb'))],
    ['is of another dock', JSON.stringify({ ...web, dock: 'dock-2' })],
    ['has no name', JSON.stringify({ ...web, name: undefined })],
    ['has ports that are no text', JSON.stringify({ ...web, ports: [{}] })],
    ['is missing', ''],
  ])('whose row %s is read without it', (_, r) => expect(parse({ ...entry, r })).toMatchObject({ row: null }))

  test('of a job has any word and any row; of a dock what can be read of it', () => {
    expect(parse({ ...entry, k: 'job', o: 'accepted', r: '{"a":1}' })).toMatchObject({ op: 'accepted', row: { a: 1 } })
    const dock = { ...entry, k: 'dock', i: 'dock-1' }
    expect(parse({ ...dock, r: '{"labels":"{","leased":"1","seen":"x"}' })).toMatchObject({
      row: { hostname: 'dock-1', state: 'ready', labels: {}, lastSeen: null },
    })
    expect(parse({ ...dock, r: '{"labels":{}}' })).toMatchObject({ row: null })
  })

  test('has its time by its id, whatever that is', () => {
    expect(parse(entry, '99999999999999999999-1')).toMatchObject({ at: '1970-01-01T00:00:00.000Z' })
  })

  test('is later than another by time, then by number', () => {
    const ids = ['10-2', '9-30', '10-10', '10-0']
    expect(ids.sort(compareChangeIds)).toEqual(['9-30', '10-0', '10-2', '10-10'])
  })
})
