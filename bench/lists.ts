import { setTimeout as pause } from 'node:timers/promises'
import type { Fleet } from '@deblox/fleet/fleet'
import { eventually } from '../test/support/eventually'
import { processorOf } from '../test/support/resident'
import type { Child } from './child'
import { call } from './http'
import { indexRow } from './rows'
import type { Health, Told } from './stub-docks'
import { rounds, timeOf } from './times'

/** One figure for each time, with all docks healthy and with some of them dead or hung. */
export interface Pages {
  healthy: number[]
  sick: number[]
}

export interface Lists {
  /** Of a first page, in milliseconds. */
  first: Pages
  /** Of those that were newest, with what is counted by all facets. */
  newest: Pages
  /** Of an inspect of a container on a dock that answers, in milliseconds. */
  inspect: Pages
  /** Processors that replica and Redis used, one figure for each window. */
  replica: Pages
  redis: Pages
  /** How many docks were dead, and to how many others calls were open that nobody answered. */
  dead: number
  hung: number
  /** Rows said to be stale by the lists that were measured, where they were not, and the other way round. */
  wrong: number
}

export interface ListsPlan {
  rounds: number
  windowMs: number
  dead: number
  hung: number
}

interface Scene {
  fleet: Fleet
  url: string
  /** Process ids. */
  replica: number
  redis: number
  docks: Child
  told: Told
}

/** Between two requests, in milliseconds. */
const gapMs = 5

/** A change of so many docks at once is told by the API's janitor dock by dock, in milliseconds. */
const settleMs = 4_000

/** Before anything is counted, in milliseconds. */
const warmUpMs = 2_000

/** Changes a second, anywhere in the fleet, while pages are measured. */
const changesPerSecond = 20

/** Calls that wait all the time for docks that do not answer. */
const callsThatWait = 20

/** First pages of the list, by turns of some seconds with all docks healthy and with some of them dead or hung. */
export async function measureLists(scene: Scene, plan: ListsPlan): Promise<Lists> {
  const { told } = scene
  // The first one is on the first page. Those that answer are others.
  const dead = told.all.filter((_, n) => n % Math.round(told.all.length / plan.dead) === 0)
  const hung = told.all.filter((_, n) => n % Math.round(told.all.length / plan.hung) === 2)
  const noPages = (): Pages => ({ healthy: [], sick: [] })
  const lists: Lists = {
    first: noPages(),
    newest: noPages(),
    inspect: noPages(),
    replica: noPages(),
    redis: noPages(),
    dead: dead.length,
    hung: hung.length,
    wrong: 0,
  }
  const leaving = new AbortController()
  const changing = change(scene, leaving.signal)
  await measure(scene, { ...lists, first: noPages(), newest: noPages(), inspect: noPages() }, 'healthy', warmUpMs, [])
  for (let round = 0; round < plan.rounds; round++) {
    await become(scene, [])
    await window(scene, lists, 'healthy', plan.windowMs, [])
    await become(scene, dead)
    const waiting = new AbortController()
    for (let n = 0; n < callsThatWait; n++) void askHung(scene, hung[n % hung.length] ?? '', waiting.signal)
    await window(scene, lists, 'sick', plan.windowMs, dead)
    waiting.abort()
  }
  leaving.abort()
  await changing
  return lists
}

/** As `measure`, with what it took. */
async function window(scene: Scene, lists: Lists, state: keyof Pages, forMs: number, dead: string[]): Promise<void> {
  const used = () => Promise.all([scene.replica, scene.redis].map(processorOf))
  const began = performance.now()
  const [replica = 0, redis = 0] = await used()
  await measure(scene, lists, state, forMs, dead)
  const seconds = (performance.now() - began) / 1000
  const [replicaNow = 0, redisNow = 0] = await used()
  lists.replica[state].push((replicaNow - replica) / seconds)
  lists.redis[state].push((redisNow - redis) / seconds)
}

async function measure({ url, told }: Scene, lists: Lists, state: keyof Pages, forMs: number, dead: string[]) {
  const stale = new Set(dead)
  const dock = told.answering[0] ?? ''
  const inspected = `${url}/v1/containers/${idOn(told, dock)}`
  await rounds(forMs, async () => {
    lists.first[state].push(
      await timeOf(async () => {
        const { items } = (await call(`${url}/v1/containers`, 'GET')) as { items: { dock: string; stale: boolean }[] }
        lists.wrong += items.filter((row) => row.stale !== stale.has(row.dock)).length
      }),
    )
    await pause(gapMs)
    lists.inspect[state].push(await timeOf(() => call(inspected, 'GET')))
    await pause(gapMs)
    // It takes long: now and then is enough.
    if (lists.first[state].length % 10 !== 0) return
    const query = 'sort=-createdAt&facets=dock,state,owner,image,health'
    lists.newest[state].push(await timeOf(() => call(`${url}/v1/containers?${query}`, 'GET')))
  })
}

/** Has exactly these docks be dead, and waits until Redis says so, as leases run out by themselves, and all have heard of it. */
async function become({ fleet, docks, told }: Scene, dead: string[]): Promise<void> {
  await docks.told<object>({ dead } satisfies Health)
  const expected = told.all.length - dead.length
  const held = () => fleet.redis.exists(...told.all.map(fleet.keys.lease))
  if ((await held()) === expected) return
  await eventually(held, (count) => count === expected, { within: 30_000, what: `${expected} docks live` })
  await pause(settleMs)
}

async function change({ fleet, told }: Scene, leaving: AbortSignal): Promise<void> {
  for (let n = 0; !leaving.aborted; n++) {
    const dock = told.all[(n * 7) % told.all.length] as string
    const number = told.all.indexOf(dock) * (told.containers / told.all.length)
    await fleet.index.write(dock, [{ ...indexRow(dock, number + 1), state: n % 2 === 0 ? 'exited' : 'running' }], [])
    await pause(1000 / changesPerSecond)
  }
}

/** Asks a dock that does not answer, again and again. */
async function askHung({ url, told }: Scene, dock: string, leaving: AbortSignal): Promise<void> {
  const address = `${url}/v1/containers/${idOn(told, dock)}`
  while (!leaving.aborted) {
    const answer = await fetch(address, { signal: leaving }).catch(() => undefined)
    await answer?.text().catch(() => undefined)
    await pause(100)
  }
}

/** The id of a dock's first container. */
const idOn = ({ all, containers }: Told, dock: string): string =>
  indexRow(dock, all.indexOf(dock) * (containers / all.length)).id
