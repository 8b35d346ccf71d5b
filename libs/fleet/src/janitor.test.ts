import { pino } from 'pino'
import { eventually } from '../../../test/support/eventually'
import { useFleet } from '../../../test/support/fleet-on-redis'
import { Janitor } from './janitor'
import { isFinished, type JobRecord, payloadOf, slotJobId } from './job'
import { clusterTopic, dockTopic, times } from './names'
import { failed, made, recordOn } from './testing/record'
import { loseLock, take } from './testing/taking'

const use = useFleet()
const jobs = () => use.fleet().jobs
const topic = dockTopic('dock-1')
const janitor = () => new Janitor(use.fleet(), pino({ level: 'silent' }))

const statesOf = async ({ id }: JobRecord) => (await jobs().status(id)).slots.map(({ state }) => state)
const waiting = (name: string) => use.fleet().topics.queue(name).getJobCountByTypes('waiting', 'delayed')

async function accepted(more: Partial<JobRecord> = {}): Promise<JobRecord> {
  const record = recordOn(use.fleet().keys.replies('replica'), more)
  await jobs().accept({ record })
  return record
}

/** Docks that are registered; those that are not dead hold their leases. */
async function docks(...states: { hostname: string; dead?: boolean }[]): Promise<void> {
  for (const { hostname, dead } of states) {
    await use.fleet().docks.register(hostname)
    if (!dead) await use.fleet().docks.acquireLease(hostname, `worker of ${hostname}`)
  }
}

describe('of two janitors', () => {
  const due = () => accepted({ expiresAt: Date.now() - 2_000 })

  test('one does the rounds, and the other nothing', async () => {
    const [one, other] = [janitor(), janitor()]
    await one.round()
    const job = await due()
    await other.round()
    expect(await statesOf(job)).toEqual(['waiting'])
    await one.round()
    expect(await statesOf(job)).toEqual(['expired'])
  })

  test('the other goes on at once when the one stops', async () => {
    const [one, other] = [janitor(), janitor()]
    one.start()
    await eventually(async () => (await use.redis().exists(use.fleet().keys.janitor)) === 1)
    await one.stop()
    const job = await due()
    await other.round()
    expect(await statesOf(job)).toEqual(['expired'])
  })

  test('the other leaves the one’s place alone when it stops itself', async () => {
    const [one, other] = [janitor(), janitor()]
    await one.round()
    await other.round()
    await other.stop()
    const job = await due()
    await janitor().round()
    expect(await statesOf(job)).toEqual(['waiting'])
  })

  test('one that is not heard of keeps its place for seconds only', async () => {
    await janitor().round()
    const life = await use.redis().pttl(use.fleet().keys.janitor)
    expect(life).toBeGreaterThan(1_000)
    expect(life).toBeLessThanOrEqual(5_000)
  })
})

test('a janitor that was started goes on round after round until it is stopped', async () => {
  const one = janitor()
  one.start()
  for (const _ of [1, 2]) {
    const job = await accepted({ expiresAt: Date.now() - 2_000 })
    await eventually(async () => (await statesOf(job))[0] === 'expired')
  }
  await one.stop()
  const last = await accepted({ expiresAt: Date.now() - 2_000 })
  expect(await statesOf(last)).toEqual(['waiting'])
})

test('what is due ends, and what is not yet due waits', async () => {
  const [due, later] = [await accepted({ expiresAt: 1 }), await accepted({ expiresAt: Date.now() + 60_000 })]
  await janitor().round()
  expect([await statesOf(due), await statesOf(later)]).toEqual([['expired'], ['waiting']])
})

test('one record that cannot be read keeps nothing else from its end', async () => {
  const { keys } = use.fleet()
  const broken = await accepted({ expiresAt: 1 })
  await use.redis().hset(keys.job(broken.id), 'record', '{"no": JSON')
  const [due, stuck] = [await accepted({ expiresAt: 2 }), await accepted({ dealt: true })]
  await docks({ hostname: 'dock-1', dead: true }, { hostname: 'dock-2' })
  await use.redis().sadd(keys.rollbacks, broken.id)
  await janitor().round()
  expect(await statesOf(due)).toEqual(['expired'])
  await expect(jobs().status(stuck.id)).resolves.toMatchObject({ places: [{ topic: clusterTopic }] })
})

describe('a job that never came to its topics', () => {
  const cutShort = async () => {
    const record = await accepted({ acceptedAt: Date.now() - 60_000 })
    await use.fleet().topics.queue(topic).remove(slotJobId(record.id, 1))
    return record
  }

  test('has failed after a round, which is logged; and again nothing is to be done', async () => {
    const lines: string[] = []
    const one = new Janitor(use.fleet(), pino({ level: 'warn' }, { write: (line) => void lines.push(line) }))
    const record = await cutShort()
    for (const _ of [1, 2]) await one.round()
    expect(await statesOf(record)).toEqual(['failed'])
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ level: 40, slots: 1 }])
  })

  test('is looked for among all jobs by a janitor that was not it meanwhile', async () => {
    const one = janitor()
    await one.round()
    const record = await cutShort()
    await one.round()
    expect(await statesOf(record)).toEqual(['waiting'])
    await use.redis().set(use.fleet().keys.janitor, 'a third one')
    await one.round()
    await use.redis().del(use.fleet().keys.janitor)
    await one.round()
    expect(await statesOf(record)).toEqual(['failed'])
  })
})

describe('a job that is to be undone', () => {
  test('has its waiting slots cancelled and the others deleted, and is forgotten then', async () => {
    const { keys } = use.fleet()
    const topics = ['dock-1', 'dock-2', 'dock-3'].map(dockTopic)
    const record = await accepted({ action: 'create-container', topics, numbered: true, onFailure: 'rollback' })
    await jobs().finish(payloadOf(record, 1), made(1))
    await jobs().finish(payloadOf(record, 2), failed(2))
    const one = janitor()
    await eventually(async () => {
      await one.round()
      return (await use.redis().scard(keys.rollbacks)) === 0
    })
    const { slots } = await jobs().status(record.id)
    expect(slots.map(({ state }) => state)).toEqual(['completed', 'failed', 'cancelled'])
    expect(slots.map((slot) => isFinished(slot) && slot.undoneBy !== undefined)).toEqual([true, false, false])
  })
})

test('on the cluster topic what a dead worker had taken waits again, and what is worked on is left alone', async () => {
  const topics = [clusterTopic]
  const [lost, held] = [await accepted({ topics }), await accepted({ topics })]
  await loseLock(use.fleet(), clusterTopic, await take(use.fleet(), clusterTopic))
  await take(use.fleet(), clusterTopic)
  await janitor().round()
  expect([await statesOf(lost), await statesOf(held)]).toEqual([['waiting'], ['active']])
})

describe('on the topic of a dock that is dead', () => {
  test('what was being worked on waits again, in its order, and what has its lock still is left alone', async () => {
    await docks({ hostname: 'dock-1', dead: true })
    const [first, second, held] = [await accepted(), await accepted(), await accepted()]
    const taken = [await take(use.fleet(), topic), await take(use.fleet(), topic), await take(use.fleet(), topic)]
    for (const job of taken.slice(0, 2)) await loseLock(use.fleet(), topic, job)
    await janitor().round()
    expect([await statesOf(first), await statesOf(second), await statesOf(held)]).toEqual([
      ['waiting'],
      ['waiting'],
      ['active'],
    ])
    expect([(await take(use.fleet(), topic)).id, (await take(use.fleet(), topic)).id]).toEqual(
      taken.slice(0, 2).map(({ id }) => id),
    )
  })

  test('what nobody asked it for goes to others, if any of them is ready', async () => {
    await docks({ hostname: 'dock-1', dead: true }, { hostname: 'dock-2', dead: true })
    await accepted({ dealt: true })
    await janitor().round()
    expect([await waiting(topic), await waiting(clusterTopic)]).toEqual([1, 0])
    await use.fleet().docks.acquireLease('dock-2', 'back')
    await use.redis().del(use.fleet().keys.janitor)
    await janitor().round()
    expect([await waiting(topic), await waiting(clusterTopic)]).toEqual([0, 1])
  })

  test('nothing is touched while its worker lives', async () => {
    await docks({ hostname: 'dock-1' }, { hostname: 'dock-2' })
    await accepted({ dealt: true })
    await accepted()
    await loseLock(use.fleet(), topic, await take(use.fleet(), topic))
    await janitor().round()
    await expect(use.fleet().topics.queue(topic).getJobCounts('waiting', 'active')).resolves.toEqual({
      waiting: 1,
      active: 1,
    })
  })
})

describe('on the topic of a dock that was removed', () => {
  test('all ends, also what its worker died over; but not before its worker is gone', async () => {
    await docks({ hostname: 'dock-1' })
    const [taken, waits] = [await accepted(), await accepted()]
    await loseLock(use.fleet(), topic, await take(use.fleet(), topic))
    await use.fleet().docks.unregister('dock-1')
    const one = janitor()
    await one.round()
    expect([await statesOf(taken), await statesOf(waits)]).toEqual([['active'], ['waiting']])
    await use.fleet().docks.releaseLease('dock-1', 'worker of dock-1')
    await one.round()
    expect([await statesOf(taken), await statesOf(waits)]).toEqual([['failed'], ['failed']])
  })

  test('nothing waits a day later: that it was removed is forgotten then', async () => {
    await docks({ hostname: 'dock-1', dead: true }, { hostname: 'dock-2', dead: true })
    for (const hostname of ['dock-1', 'dock-2']) await use.fleet().docks.unregister(hostname)
    const dayAgo = use.fleet().clock.now() - times.deadline.change
    await use.redis().zadd(use.fleet().keys.removed, dayAgo - 1, 'dock-1', dayAgo + 60_000, 'dock-2')
    await janitor().round()
    await expect(use.fleet().docks.removed()).resolves.toEqual(['dock-2'])
  })
})
