import { setTimeout as pause } from 'node:timers/promises'
import { eventually } from '../test/support/eventually'
import { SlowReader } from '../test/support/slow-reader'
import { Child } from './child'
import type { Flow } from '../test/support/loud-log'
import type { Firehose } from './firehose'
import { call } from './http'
import { Growth, processorOf } from '../test/support/resident'
import { type Setting, startFrom } from './setting'
import { rounds, timeOf } from './times'

export interface BesideSlowReader {
  /** How much worker, API and Redis held before, and how much more at the most while the reader was there. In bytes. */
  memory: Map<string, { before: number; growth: number }>
  /** What the daemon offered and what the worker took of it, in bytes a second. */
  offered: number
  taken: number
  /** What the reader read, in bytes a second. */
  read: number
  /** Seconds of processor a second, by who used it. */
  processors: Map<string, number>
  /** Of an inspect by another caller, in milliseconds: of the container on the other dock, and of the one that logs. */
  others: Beside
  same: Beside
  /** Milliseconds until the mark of what was dropped came, once the reader read as fast as he could; or why it never did. */
  mark: number | Error
}

/** Times without the slow reader, before and after, and with him. */
export interface Beside {
  without: number[]
  along: number[]
}

const hostname = 'dock2'

/** In bytes a second. */
const offeredRate = 100_000_000
const readRate = 10_000

/** Between two inspects, in milliseconds: they are to feel what else goes on, not to be it. */
const gapMs = 40

/** A reader of a followed log who takes far less than it is offered, and what that costs him, the fleet and others. */
export async function measureSlowReader(setting: Setting, id: string, forMs: number): Promise<BesideSlowReader> {
  const firehose = new Child('firehose', [String(offeredRate)])
  const { dockerHost, id: loud } = await firehose.told<Firehose>()
  const dock = { DOCK_HOSTNAME: hostname, DOCKER_HOST: dockerHost }
  const worker = startFrom(setting.programs, 'worker', { ...setting.common, ...dock }, { name: 'worker-2' })
  const address = `${setting.url}/v1/containers`
  await eventually(
    () => call(`${address}/${loud}`, 'GET'),
    () => true,
    { within: 20_000, what: 'the second dock' },
  )

  const others: Beside = { without: [], along: [] }
  const same: Beside = { without: [], along: [] }
  const inspect = (ms: number, into: keyof Beside): Promise<void> =>
    rounds(ms, async () => {
      others[into].push(await timeOf(() => call(`${address}/${id}`, 'GET')))
      same[into].push(await timeOf(() => call(`${address}/${loud}`, 'GET')))
      await pause(gapMs)
    })
  const pids = { worker: worker.pid, API: setting.api.pid, Redis: setting.redis.pid, daemon: firehose.pid }
  await inspect(forMs / 10, 'without')
  const { daemon: _, ...watched } = pids
  const growth = await Growth.since(watched)
  const used = await usedBy(pids)
  const began = performance.now()
  const reader = await SlowReader.open(`${address}/${loud}/logs?follow=true&tail=0`, readRate)
  await inspect(forMs, 'along')
  const seconds = (performance.now() - began) / 1000
  const flow = await firehose.told<Flow>({})
  const after = await usedBy(pids)
  const read = reader.bytes
  const memory = await growth.end()
  const mark = await timeOf(() => reader.until(/\d+ lines \(\d+ bytes\) are left out here/)).catch(
    (error: Error) => error,
  )
  reader.leave()
  await pause(500)
  await inspect(forMs / 10, 'without')
  await worker.stop()
  await firehose.stop()
  return {
    memory,
    offered: flow.offered / seconds,
    taken: flow.taken / seconds,
    read: read / seconds,
    processors: new Map([...after].map(([name, total]) => [name, (total - (used.get(name) ?? 0)) / seconds])),
    others,
    same,
    mark,
  }
}

async function usedBy(pids: Record<string, number>): Promise<Map<string, number>> {
  const all = Object.entries(pids).map(async ([name, pid]) => [name, await processorOf(pid)] as const)
  return new Map(await Promise.all(all))
}
