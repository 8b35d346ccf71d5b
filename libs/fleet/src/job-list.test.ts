import { useFleet } from '../../../test/support/fleet-on-redis'
import { type JobRecord, newJobId } from './job'
import { recordOn } from './testing/record'

const use = useFleet()
const jobs = () => use.fleet().jobs
const recordOf = (more?: Partial<JobRecord>) => recordOn(use.fleet().keys.replies('replica'), more)

describe('the list of jobs', () => {
  test('shows all jobs newest first, page by page, none twice', async () => {
    const records = Array.from({ length: 7 }, (_, n) => recordOf({ acceptedAt: 1_000 + n, id: newJobId(1_000 + n) }))
    await Promise.all(records.map((record) => jobs().accept({ record })))
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const page = await jobs().list(3, cursor)
      seen.push(...page.items.map(({ record }) => record.id))
      cursor = page.nextCursor ?? undefined
    } while (cursor !== undefined && seen.length < 20)
    expect(seen).toEqual(records.map(({ id }) => id).toReversed())
  })

  test('goes on at the right place when jobs are accepted meanwhile', async () => {
    const old = Array.from({ length: 4 }, (_, n) => recordOf({ acceptedAt: n, id: newJobId(n) }))
    for (const record of old) await jobs().accept({ record })
    const { nextCursor } = await jobs().list(2)
    await jobs().accept({ record: recordOf() })
    const { items } = await jobs().list(2, nextCursor ?? undefined)
    expect(items.map(({ record }) => record.id)).toEqual([old[1]?.id, old[0]?.id])
  })

  test('goes on after a job that is no longer in it, by the time when that was accepted', async () => {
    const [old, young] = [
      recordOf({ acceptedAt: 1_000, id: newJobId(1_000) }),
      recordOf({ acceptedAt: 3_000, id: newJobId(3_000) }),
    ]
    for (const record of [old, young]) await jobs().accept({ record })
    const { items } = await jobs().list(2, newJobId(2_000))
    expect(items.map(({ record }) => record.id)).toEqual([old.id])
    await expect(jobs().list(2, newJobId(0))).resolves.toEqual({ items: [], nextCursor: null })
  })

  test.each<[string, (key: string) => Promise<unknown>]>([
    ['a slot that is no JSON', (key) => use.redis().hset(key, 'slot:1', '{garbage')],
    ['a slot that never ended', (key) => use.redis().hset(key, 'slot:1', '{"finishedAt":"x"}')],
    ['a record that is no JSON', (key) => use.redis().hset(key, 'record', '{garbage')],
    ['a record that is none', (key) => use.redis().hset(key, 'record', 'null')],
    ['the record of another job', (key) => use.redis().hset(key, 'record', JSON.stringify(recordOf()))],
    ['a topic that is none', (key) => use.redis().hset(key, 'topic:1', 'a:b')],
    ['no hash', async (key) => use.redis().set(key, 'text')],
  ])('leaves out a job that has %s, and shows all others', async (_, spoil) => {
    const [bad, good] = [recordOf({ acceptedAt: 2 }), recordOf({ acceptedAt: 1 })]
    for (const record of [bad, good]) await jobs().accept({ record })
    await spoil(use.fleet().keys.job(bad.id))
    const { items } = await jobs().list(10)
    expect(items.map(({ record }) => record.id)).toEqual([good.id])
  })

  test('passes over records that have ended', async () => {
    const [gone, stays] = [recordOf({ acceptedAt: 2 }), recordOf({ acceptedAt: 1 })]
    for (const record of [gone, stays]) await jobs().accept({ record })
    await use.redis().del(use.fleet().keys.job(gone.id))
    const { items } = await jobs().list(10)
    expect(items.map(({ record }) => record.id)).toEqual([stays.id])
  })
})
