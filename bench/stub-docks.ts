import { setTimeout as pause } from 'node:timers/promises'
import { openFleet } from '@deblox/fleet/fleet'
import { connectRedis, whenReady } from '@deblox/fleet/redis'
import { times } from '@deblox/fleet/names'
import { StubDock } from './stub-dock'

/**
 * A process that stands for the workers of very many docks: their leases, heartbeats, rows and full lists in Redis are as real workers
 * write them, and some of them answer calls. There is no engine behind them. Arguments: Redis URL, prefix, docks, containers on each,
 * how many answer calls. Tells when all is written.
 */
export interface Told {
  /** Containers in all. */
  containers: number
  /** Host names: those that answer calls, and all. */
  answering: string[]
  all: string[]
}

/** Which of the docks, by their host names, are to be dead from now on; the others live. Answered at once. */
export interface Health {
  dead: string[]
}

/** A step of each dock's round: small enough for no moment to be busier than another. */
const stepMs = 20

async function main([url = '', prefix = '', docks = '', each = '', answering = '']: string[]): Promise<void> {
  const redis = connectRedis(url, 'patient')
  await whenReady(redis, 5_000)
  const fleet = openFleet(redis, prefix)
  const all = Array.from({ length: Number(docks) }, (_, n) => new StubDock(n, { fleet, url, each: Number(each) }))
  const speaking = all.filter(({ number }) => number % 20 === 1).slice(0, Number(answering))
  process.on('message', ({ dead }: Health) => {
    for (const dock of all) dock.dead = dead.includes(dock.hostname)
    process.send?.({})
  })
  process.on('disconnect', () => process.exit(0))
  void beatAll(all)
  await inParts(all, (dock) => dock.join())
  for (const dock of speaking) await dock.answer()
  void listAll(all)
  const told: Told = {
    containers: all.length * Number(each),
    answering: speaking.map(({ hostname }) => hostname),
    all: all.map(({ hostname }) => hostname),
  }
  process.send?.(told)
}

/** Each dock's heartbeats, evenly spread. */
const beatAll = (all: StubDock[]): Promise<void> => evenly(all, times.heartbeat, (dock) => dock.beat())

/** Each dock's full lists, evenly spread. */
const listAll = (all: StubDock[]): Promise<void> => evenly(all, times.fullList, (dock) => dock.list())

async function evenly(all: StubDock[], everyMs: number, act: (dock: StubDock) => Promise<void>): Promise<void> {
  const began = performance.now()
  for (let done = 0; ;) {
    const due = Math.floor(((performance.now() - began) / everyMs) * all.length)
    for (; done < due; done++) {
      const dock = all[done % all.length]
      if (dock) act(dock).catch((error: unknown) => process.stderr.write(`stub dock: ${String(error)}\n`))
    }
    await pause(stepMs)
  }
}

/** Twenty at a time. */
async function inParts(all: StubDock[], act: (dock: StubDock) => Promise<void>): Promise<void> {
  for (let n = 0; n < all.length; n += 20) await Promise.all(all.slice(n, n + 20).map(act))
}

void main(process.argv.slice(2))
