import { useFleet } from '../../../test/support/fleet-on-redis'
import { openFleet } from './fleet'
import { type JobRecord, newJobId, payloadOf, slotJobId } from './job'
import { clusterTopic, dockTopic } from './names'
import { trustIn } from './signing/trust'
import { otherKeys } from './testing/keys'
import { failed, made, recordOn } from './testing/record'
import { payloadIn, take } from './testing/taking'

const use = useFleet()
const jobs = () => use.fleet().jobs
const endings = () => use.fleet().endings
const keyOf = ({ id }: Pick<JobRecord, 'id'>) => use.fleet().keys.job(id)
const topic = dockTopic('dock-1')
const victim = 'f'.repeat(64)
const refused = { code: 'bad_signature', status: 403 }

async function accepted(more: Partial<JobRecord> = {}): Promise<JobRecord> {
  const record = recordOn(use.fleet().keys.replies('replica'), more)
  await jobs().accept({ record })
  return record
}

/** As somebody does who can write to Redis. */
const rewrite = (record: JobRecord, more: Partial<JobRecord>) =>
  use.redis().hset(keyOf(record), 'record', JSON.stringify({ ...record, ...more }))

const signedJobs = async () => {
  const queues = [topic, dockTopic('dock-2'), clusterTopic].map((name) => use.fleet().topics.queue(name))
  const all = await Promise.all(queues.map((queue) => queue.getJobs(['waiting', 'delayed'])))
  return all.flat().map((job) => payloadIn(job))
}

describe('nothing is signed by a record that no API has written', () => {
  test('a job that was changed is not tried again', async () => {
    const record = await accepted()
    await jobs().finish(payloadOf(record, 1), failed())
    await rewrite(record, { action: 'delete-container', params: { id: victim, force: true } })
    await expect(endings().again(record.id, record.replyTo, Date.now())).rejects.toMatchObject(refused)
  })

  test('a job that was made up is not tried again, nor undone', async () => {
    const record = recordOn('x:replies:1', { onFailure: 'rollback', topics: [topic, topic] })
    const outcome = { ...made(1, 'dock-1'), result: { ...made(1).result, container: { id: victim, name: 'web' } } }
    const fields = { record: JSON.stringify(record), mac: 'A'.repeat(43), slots: '2', finished: '2' }
    await use.redis().hset(keyOf(record), {
      ...fields,
      'slot:1': JSON.stringify(outcome),
      'slot:2': JSON.stringify(failed(2)),
    })
    await expect(endings().again(record.id, record.replyTo, Date.now())).rejects.toMatchObject(refused)
    await expect(endings().rollBack(record.id)).resolves.toBe(true)
    expect(await signedJobs()).toEqual([])
  })

  test('nor is one with the record of another job, which an API has written', async () => {
    const [record, other] = [await accepted(), await accepted({ action: 'delete-container' })]
    await jobs().finish(payloadOf(record, 1), failed())
    await use.redis().hset(keyOf(record), await use.redis().hgetall(keyOf(other)))
    await expect(endings().again(record.id, record.replyTo, Date.now())).rejects.toMatchObject(refused)
  })

  test('a request that is repeated does not put a changed job on its topics', async () => {
    const idempotency = { key: 'once', payload: '{}' }
    const record = recordOn(use.fleet().keys.replies('replica'))
    await jobs().accept({ record, idempotency })
    await use.fleet().topics.queue(topic).obliterate({ force: true })
    await rewrite(record, { action: 'delete-container', params: { id: victim } })
    await expect(jobs().recall(record.actor, idempotency)).rejects.toMatchObject(refused)
    await expect(jobs().accept({ record, idempotency })).rejects.toMatchObject(refused)
    expect(await signedJobs()).toEqual([])
  })

  test('an API with other keys is another API', async () => {
    const record = await accepted()
    await jobs().finish(payloadOf(record, 1), failed())
    const other = openFleet(use.redis(), use.fleet().prefix, undefined, trustIn(otherKeys()))
    await expect(other.endings.again(record.id, record.replyTo, Date.now())).rejects.toMatchObject(refused)
    await other.topics.close()
  })

  test('a program without keys makes no jobs at all', async () => {
    const { jobs, topics } = openFleet(use.redis(), use.fleet().prefix)
    const record = recordOn(use.fleet().keys.replies('replica'))
    await expect(jobs.accept({ record })).rejects.toMatchObject({ code: 'internal' })
    expect(await use.redis().exists(keyOf(record))).toBe(0)
    await topics.close()
  })
})

describe('what a job is told', () => {
  test('says which dock is meant, or that any may take it', async () => {
    const other = dockTopic('dock-2')
    for (const [topics, dealt] of [[[topic, other]], [[clusterTopic, other]], [[topic, other], true]] as const)
      await accepted({ topics: [...topics], ...(dealt && { dealt }), numbered: true })
    const docks = (await signedJobs()).map(({ dock }) => dock)
    expect(docks.sort()).toEqual(['*', '*', '*', 'dock-1', 'dock-2', 'dock-2'])
  })

  test('a retry goes to the dock that was asked for, whatever Redis says where the job went', async () => {
    const record = await accepted()
    await jobs().finish(payloadOf(record, 1), failed())
    await use.redis().hset(keyOf(record), 'topic:1', dockTopic('dock-2'))
    const { record: next } = await endings().again(record.id, record.replyTo, Date.now())
    expect(next.topics).toEqual([topic])
  })

  test('one that undoes says which container it means by more than its id', async () => {
    const record = await accepted({ onFailure: 'rollback', topics: [topic, topic], action: 'create-container' })
    await jobs().finish(payloadOf(record, 1), { ...made(1, 'dock-1') })
    await jobs().finish(payloadOf(record, 2), failed(2))
    await endings().rollBack(record.id)
    const undoing = (await signedJobs()).find(({ action }) => action === 'delete-container')
    expect(undoing?.given).toEqual({ labels: { 'deblox.job': record.id, 'deblox.slot': '1' } })
  })
})

describe('an entry of a topic', () => {
  const end = { ...failed(), attempts: 0 }
  const outcomeOf = (record: JobRecord) => jobs().outcome(payloadOf(record, 1))

  test('decides how its slot ends where the record says that the slot is there', async () => {
    const record = await accepted()
    const place = { topic, id: slotJobId(record.id, 1) }
    await expect(jobs().entry(place)).resolves.toEqual({ isPlace: true, ended: false })
    await jobs().settleEntry(place, end)
    await expect(outcomeOf(record)).resolves.toMatchObject({ slot: 1, state: 'failed' })
    await expect(jobs().entry(place)).resolves.toEqual({ isPlace: true, ended: true })
  })

  test.each([
    ['under another id', (id: string) => ({ topic, id: slotJobId(id, 1, 3) })],
    ['on another topic', (id: string) => ({ topic: clusterTopic, id: slotJobId(id, 1) })],
    ['of a slot that there is not', (id: string) => ({ topic, id: slotJobId(id, 7) })],
    ['of no job', () => ({ topic, id: slotJobId(newJobId(), 1) })],
    ['of nothing', () => ({ topic, id: 'x' })],
  ])('%s decides nothing', async (_, placeOf) => {
    const record = await accepted()
    const place = placeOf(record.id)
    await expect(jobs().entry(place)).resolves.toMatchObject({ isPlace: false })
    await jobs().settleEntry(place, end)
    await expect(outcomeOf(record)).resolves.toBeNull()
  })

  test('from which a slot was handed on decides nothing any more', async () => {
    const record = await accepted({ dealt: true })
    const place = { topic, id: slotJobId(record.id, 1) }
    await jobs().forward(payloadIn(await take(use.fleet(), topic)), clusterTopic)
    await jobs().settleEntry(place, end)
    await expect(outcomeOf(record)).resolves.toBeNull()
  })

  test('that is forged is not handed on by whoever looks after a dead dock, nor ends its job', async () => {
    const record = await accepted({ dealt: true })
    const queue = use.fleet().topics.queue(topic)
    const { data } = (await queue.getJob(slotJobId(record.id, 1))) ?? {}
    if (!data) throw new Error('expected the job on its topic')
    await queue.obliterate({ force: true })
    await queue.add('replayed', data, { jobId: slotJobId(record.id, 1, 9) })
    await queue.add(
      'tampered',
      { ...data, body: data.body.replace('anna', 'mary') },
      { jobId: slotJobId(record.id, 1) },
    )
    await endings().leaveDock('dock-1', true)
    expect(await queue.getJobCountByTypes('waiting')).toBe(2)
    expect(await use.fleet().topics.queue(clusterTopic).getJobCountByTypes('waiting')).toBe(0)
    await expect(outcomeOf(record)).resolves.toBeNull()
  })
})
