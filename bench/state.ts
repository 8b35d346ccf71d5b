import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { type Fleet, openFleet } from '@deblox/fleet/fleet'
import { connectRedis, whenReady } from '@deblox/fleet/redis'
import { startRedis } from '../test/support/redis'
import { runFolder, stateFolder } from '../test/support/run-folder'
import { Child } from './child'
import { type Lists, type ListsPlan, measureLists } from './lists'
import { load, machineOf } from './machine'
import { copyPrograms } from './programs'
import { type Held, Replica } from './replica'
import { usedMemory } from './rows'
import { say } from './say'
import { stateReport } from './state-report'
import type { Told } from './stub-docks'
import { measureVisibility, type Visibility } from './visibility'

export interface StateFigures {
  docks: number
  containers: number
  /** Bytes in Redis: all that the docks wrote, what of that are the containers' hashes, and the stream of changes. */
  redis: { all: number; changes: number }
  /** A replica of a fleet without docks, and those of this one. */
  empty: { startMs: number; held: Held }
  full: { startMs: number[]; held: Held }
  lists: Lists
  visibility: Visibility
}

interface Plan extends ListsPlan {
  docks: number
  each: number
  answering: number
  changes: number
}

const full: Plan = {
  docks: 1_000,
  each: 100,
  answering: 5,
  rounds: 3,
  windowMs: 6_000,
  dead: 200,
  hung: 50,
  changes: 100,
}
const quick: Plan = { ...full, docks: 200, dead: 40, hung: 10, rounds: 1, windowMs: 3_000, changes: 20 }

const prefix = 'bench'

/** What the copy of a large fleet costs its replicas, and how it answers while some docks do not. As Markdown. */
export async function measureState(isQuick: boolean): Promise<string> {
  const plan = isQuick ? quick : full
  const loadBefore = load()
  say('starting Redis and an API without docks')
  const programs = await mkdtemp(join(runFolder(), 'programs-'))
  await copyPrograms(programs)
  const redis = await startRedis()
  const env = { REDIS_URL: redis.url, DEBLOX_STATE_DIR: stateFolder(), AUTH: 'off' }
  const none = await Replica.start(programs, { ...env, DEBLOX_PREFIX: 'nobody' }, 'api-of-nobody')
  const empty = { startMs: none.startMs, held: await none.held() }
  await none.process.stop()
  const client = connectRedis(redis.url, 'patient')
  await whenReady(client, 5_000)
  const fleet = openFleet(client, prefix)
  say(`${plan.docks} stub docks with ${plan.each} containers each write what they have`)
  const before = await usedMemory(fleet)
  const stubs = [redis.url, prefix, plan.docks, plan.each, plan.answering].map(String)
  const docks = new Child('stub-docks', stubs)
  const told = await docks.told<Told>()
  const memory = await memoryOf(fleet, before)
  say('starting three replicas')
  const replicas: Replica[] = []
  for (const n of [1, 2, 3]) {
    replicas.push(await Replica.start(programs, { ...env, DEBLOX_PREFIX: prefix }, `api-${n}`))
  }
  const [first] = replicas as [Replica, ...Replica[]]
  const held = await first.held()
  say('changes, until every replica shows them')
  const visibility = await measureVisibility({ fleet, told }, replicas, plan.changes)
  say('first pages, with healthy docks and with dead and hung ones')
  const lists = await measureLists(
    { fleet, url: first.url, replica: first.process.pid, redis: redis.pid, docks, told },
    plan,
  )
  await Promise.all(replicas.map(({ process }) => process.stop()))
  await docks.stop()
  const machine = await machineOf(redis)
  client.disconnect()
  const figures: StateFigures = {
    docks: plan.docks,
    containers: told.containers,
    redis: memory,
    empty,
    full: { startMs: replicas.map(({ startMs }) => startMs), held },
    lists,
    visibility,
  }
  const noise = `Load average of the machine before the run: ${loadBefore}.`
  return `${machine}. ${noise}\n\n${stateReport(figures)}`
}

async function memoryOf(fleet: Fleet, before: number): Promise<StateFigures['redis']> {
  const all = (await usedMemory(fleet)) - before
  const changes = Number(await fleet.redis.memory('USAGE', fleet.keys.changes, 'SAMPLES', 0))
  return { all, changes }
}
