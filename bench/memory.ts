import { Worker } from 'bullmq'
import { type Fleet, openFleet } from '@deblox/fleet/fleet'
import { keysFrom, newKeys } from '@deblox/fleet/signing/api-keys'
import { trustIn } from '@deblox/fleet/signing/trust'
import { newJobId, type SignedJob, type SlotResult } from '@deblox/fleet/job'
import { counts, dockTopic } from '@deblox/fleet/names'
import { copiedResult } from '@deblox/fleet/outcomes'
import { failureText } from '@deblox/fleet/standing'
import { connectRedis, type RedisClient, whenReady } from '@deblox/fleet/redis'
import type { SlotReturn } from '@deblox/fleet/topics'
import { startRedis } from '../test/support/redis'
import { indexRow, usedMemory } from './rows'

interface Kind {
  params: Record<string, unknown>
  /** The daemon's answer. */
  body?: unknown
  fails?: boolean
}

const id = 'a'.repeat(64)

const kinds: Record<string, Kind> = {
  'start-container': { params: { id } },
  'create-container': {
    params: {
      image: 'registry.example.com/team/application:2026-11-01',
      env: Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`VARIABLE_${n}`, 'a value of usual length'])),
      labels: { team: 'platform', service: 'shop' },
      ports: [{ container: 8080, host: 18080 }],
      memory: '512m',
      restart: 'unless-stopped',
    },
    body: { Id: id, Warnings: [] },
  },
  // Just short of what the record keeps, and of what BullMQ has a copy of: a create that Docker warns about.
  'answer of 3,800 characters': { params: { id }, body: 'x'.repeat(3_800) },
  'answer of 850 characters': { params: { id }, body: 'x'.repeat(850) },
  'stop-container, failed': { params: { id }, fails: true },
}

const docks = 8

const keys = keysFrom(newKeys())
const opened = (client: RedisClient, prefix: string): Fleet => openFleet(client, prefix, undefined, trustIn(keys))

/** How many bytes of Redis's memory the fleet's records take, as Markdown: with a Redis of its own and no engine. */
export async function measureMemory(): Promise<string> {
  const redis = await startRedis()
  const client = connectRedis(redis.url, 'patient')
  try {
    await whenReady(client, 5_000)
    const jobs: Record<string, Bytes> = {}
    // Redis keeps the scripts that it has run: that is not to be counted.
    for (const kind of Object.values(kinds)) await measureJobs(opened(client, 'warm'), kind)
    await client.flushall()
    for (const [name, kind] of Object.entries(kinds)) {
      jobs[name] = await measureJobs(opened(client, String(Object.keys(jobs).length)), kind)
    }
    return reportOf(jobs, await measureDocks(opened(client, 'docks')))
  } finally {
    client.disconnect()
    await redis.remove()
  }
}

interface Bytes {
  /** Of a slot that waits. */
  waiting: number
  /** Of the job's record and its events, when it has ended. */
  record: number
  /** Of all else, when it has ended: what BullMQ keeps, events, placement. */
  topic: number
}

function reportOf(jobs: Record<string, Bytes>, { dock, row: indexRow, key }: Record<'dock' | 'row' | 'key', number>) {
  const [many, containers] = [1_000, 50]
  const failed = Object.entries(jobs).find(([name]) => name.includes('failed'))?.[1].topic ?? 0
  const fleetOf = ({ topic, record }: Bytes): string => {
    const kept = counts.finishedJobsPerTopic * topic + counts.failedJobsPerTopic * failed
    const all = many * (dock + containers * indexRow + kept) + counts.finishedJobs * record
    return `${Math.round(all / 1e6)} MB`
  }
  return [
    '| bytes, for one slot | waiting | ended: its record | ended: on its topic |',
    '|---|--:|--:|--:|',
    ...Object.entries(jobs).map(([name, { waiting, record, topic }]) => row([name, waiting, record, topic])),
    '',
    '| bytes | |',
    '|---|--:|',
    row(['a dock', dock]),
    row(['a row of the index', indexRow]),
    row(['an Idempotency-Key', key]),
    '',
    `| ${many} docks of ${containers} containers, ${counts.finishedJobsPerTopic} completed and ${counts.failedJobsPerTopic} failed ` +
      `jobs on each topic, ${counts.finishedJobs} records | |`,
    '|---|--:|',
    ...Object.entries(jobs).map(([name, bytes]) => row([`all of them ${name}`, fleetOf(bytes)])),
  ].join('\n')
}

const row = (cells: (string | number)[]): string =>
  `| ${cells.map((cell) => (typeof cell === 'number' ? Math.round(cell).toLocaleString('en') : cell)).join(' | ')} |`

/** As many jobs on each of some docks' topics as are kept there, accepted, run and finished as the programs do. */
async function measureJobs(fleet: Fleet, { params, body, fails = false }: Kind): Promise<Bytes> {
  const topics = Array.from({ length: docks }, (_, n) => dockTopic(`dock-${n}.example.com`))
  const kept = fails ? counts.failedJobsPerTopic : counts.finishedJobsPerTopic
  const many = topics.length * kept
  const action = 'start-container'
  const replyTo = fleet.keys.replies('replica')
  const before = await usedMemory(fleet)
  for (let n = 0; n < many; n++) {
    const now = Date.now()
    const record = { action, params, actor: 'someone', owner: 'someone', replyTo, numbered: false, acceptedAt: now }
    const topic = topics[n % topics.length] as string
    await fleet.jobs.accept({
      record: { ...record, id: newJobId(now), topics: [topic], expiresAt: now + 60_000 },
    })
  }
  // The stream of changes is bounded, however many jobs there are: it is none of theirs.
  await fleet.redis.unlink(fleet.keys.changes)
  const waiting = (await usedMemory(fleet)) - before
  await Promise.all(topics.map((topic) => runAll(fleet, topic, kept, body, fails)))
  const results = await fleet.redis.keys(`${fleet.prefix}:result:*`)
  await fleet.redis.unlink([replyTo, fleet.keys.changes, ...results])
  const all = await usedMemory(fleet)
  const [jobs, events] = await Promise.all(
    [fleet.keys.job('*'), fleet.keys.jobEvents('*')].map((keys) => fleet.redis.keys(keys)),
  )
  const records = [...(jobs ?? []), ...(events ?? [])]
  await fleet.redis.unlink([...records, fleet.keys.jobs, fleet.keys.finished])
  const topic = (await usedMemory(fleet)) - before
  return { waiting: waiting / many, record: (all - before - topic) / many, topic: topic / many }
}

async function runAll(fleet: Fleet, topic: string, count: number, body: unknown, fails: boolean): Promise<void> {
  const dock = topic.slice(-'dock-0.example.com'.length)
  const run = async (job: { data: SignedJob }): Promise<SlotReturn> => {
    const data = await fleet.jobs.open(job.data)
    await fleet.jobs.begin(data)
    await fleet.placements.claim(data.jobId, data.slot, dock)
    const response = body === undefined ? ('' as const) : { Body: body }
    const envelope = { Date: new Date().toUTCString(), Response: response, dockerInstance: dock, statusCode: 200 }
    const now = Date.now()
    const common = { slot: data.slot, dock, attempts: 1, startedAt: now, finishedAt: now }
    if (fails) {
      const error = { code: 'docker_error' as const, status: 409, message: 'expected another state of the container' }
      await fleet.jobs.finish(data, { ...common, state: 'failed', result: null, error })
      throw new Error(failureText(error, dock))
    }
    const result: SlotResult = { envelope }
    await fleet.jobs.finish(data, { ...common, state: 'completed', result, error: null })
    return JSON.stringify(result).length > copiedResult ? { kept: 'elsewhere' } : result
  }
  const worker = new Worker<SignedJob, SlotReturn>(topic, run, { connection: fleet.redis, prefix: fleet.prefix })
  await new Promise<void>((resolve) => {
    let left = count
    worker.on(fails ? 'failed' : 'completed', () => --left === 0 && resolve())
  })
  await worker.close()
}

async function measureDocks(fleet: Fleet) {
  const [many, each] = [200, 50]
  const before = await usedMemory(fleet)
  const facts = {
    engineVersion: '20.10.24+dfsg1',
    apiVersion: '1.41',
    os: 'Debian GNU/Linux 12',
    cpus: 8,
    memory: 2 ** 34,
  }
  const hosts = Array.from({ length: many }, (_, n) => `dock-${n}.example.com`)
  for (const host of hosts) {
    await fleet.docks.register(host)
    await fleet.docks.acquireLease(host, newJobId())
    await fleet.docks.heartbeat(host, newJobId(), 'ok')
    await fleet.docks.describe(host, facts)
    await fleet.docks.patch(host, { labels: { rack: 'a1', room: 'north' } })
  }
  const dock = (await usedMemory(fleet)) - before
  for (const [n, host] of hosts.entries()) {
    await fleet.index.write(
      host,
      Array.from({ length: each }, (_, c) => indexRow(host, n * each + c)),
      [],
      true,
    )
  }
  // What it tells of changes is bounded, however many there are.
  await fleet.redis.unlink(fleet.keys.changes)
  const rows = (await usedMemory(fleet)) - before - dock
  for (let n = 0; n < 1_000; n++) {
    const key = fleet.keys.idempotency(n.toString(16).padStart(64, '0'))
    await fleet.redis.hset(key, 'payload', 'f'.repeat(64), 'job', newJobId())
    await fleet.redis.pexpire(key, 1_000_000)
  }
  const keys = (await usedMemory(fleet)) - before - dock - rows
  return { dock: dock / many, row: rows / many / each, key: keys / 1_000 }
}
