import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { eventually } from '../support/eventually'
import type { Exit, RunningProcess } from '../support/processes'
import {
  beyondLease,
  docks,
  done,
  freeze,
  hits,
  kill,
  type Kind,
  machineOf,
  type Scene,
  terminate,
  workerLane,
} from './fault'
import type { Machine } from './machine'

const where = { targets: docks, lanes: workerLane }

const onWorker = {
  ...where,
  victim(scene: Scene) {
    const machine = machineOf(scene)
    return { process: () => machine.worker, hold: () => void (machine.inHand = true), mend: () => machine.mend() }
  },
}

const points = [
  'before-claim',
  'after-claim',
  'before-act',
  'after-create',
  'after-start',
  'after-act',
  'before-complete',
] as const

const crash = (point: (typeof points)[number]): Kind => ({
  ...where,
  name: `worker: kill -9 ${point}`,
  holds: 0,
  takes: 6,
  async inject(scene) {
    const { load, random, target } = scene
    const machine = machineOf(scene)
    machine.inHand = true
    await machine.arm(point, 1 + random.below(2))
    const fired = `${machine.crashFile}.fired`
    const stop = new AbortController()
    // The load alone would come by some time; these come by now.
    const provoking = provoke(async () => load.create({ hostname: target, start: true }), stop.signal)
    return {
      async proof() {
        if (machine.worker.running) return undefined
        // It ends also by itself, where it does not reach Redis when it starts.
        if (!existsSync(fired)) return void machine.launch()
        stop.abort()
        return `ended there: ${readFileSync(fired, 'utf8')}`
      },
      async heal() {
        stop.abort()
        await provoking
        await machine.mend()
      },
    }
  },
})

/** Does it again and again until it is told to stop. */
async function provoke(step: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
  const look = async () => {
    if (signal.aborted) return true
    await step()
    return false
  }
  await eventually(look, Boolean, { within: 90_000, every: 700 }).catch(() => undefined)
}

const second: Kind = {
  ...where,
  name: 'worker: a second one with the same hostname',
  holds: 0,
  takes: 4,
  async inject(scene) {
    const machine = machineOf(scene)
    const before = machine.workers.length - 1
    let rival = machine.start()
    const isRefused = ({ lines }: RunningProcess) => lines.some((line) => line.includes('another worker lives'))
    return {
      proof() {
        // The first one loses where its lease had run out by another fault's doing: one of the two it must be.
        if ([rival, ...machine.workers.slice(before)].some(isRefused)) return 'one of the two was refused'
        // It ends also where it does not reach Redis.
        if (!rival.running) rival = machine.start()
        return undefined
      },
      heal: async () => void (await rival.kill()),
    }
  },
}

const clock: Kind = {
  ...where,
  name: 'worker: clock jumps by an hour',
  holds: 4,
  takes: 9,
  async inject(scene) {
    const machine = machineOf(scene)
    const env = {
      LD_PRELOAD: await libfaketime(),
      FAKETIME_TIMESTAMP_FILE: machine.skewFile,
      FAKETIME_CACHE_DURATION: '1',
      // The worker's lease is measured by the monotonic clock, which no administrator and no NTP moves.
      DONT_FAKE_MONOTONIC: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      FAULTS_CLOCK_FILE: machine.clockFile,
    }
    // In hand until the end: whoever else started it would give it a clock of its own.
    machine.inHand = true
    const launchIfEnded = (): void => void (machine.worker.running || machine.launch(env))
    await machine.worker.stop(15_000)
    await rm(machine.clockFile, { force: true })
    writeFileSync(machine.skewFile, '+0\n')
    await acts(machine, launchIfEnded)
    writeFileSync(machine.skewFile, `${scene.random.happens(0.5) ? '+' : '-'}1h\n`)
    return {
      proof() {
        launchIfEnded()
        const offMs = Number(readFileSync(machine.clockFile, 'utf8')) - Date.now()
        return Math.abs(offMs) > 1_800_000 ? `its clock is off by ${Math.round(offMs / 60_000)} minutes` : undefined
      },
      async heal() {
        writeFileSync(machine.skewFile, '+0\n')
        await machine.mend()
      },
    }
  },
}

/** Waits until a worker has the dock's lease: not the first one, where that cannot reach Redis and ends. */
async function acts(machine: Machine, launchIfEnded: () => void = () => {}): Promise<void> {
  const look = () => {
    launchIfEnded()
    return machine.worker.lines.some((line) => line.includes('acts for this dock'))
  }
  await eventually(look, Boolean, { within: 100_000, what: `a worker acts for ${machine.hostname}` })
}

/** Below a folder that is named after the machine's architecture. */
async function libfaketime(): Promise<string> {
  for (const folder of await readdir('/usr/lib')) {
    const path = `/usr/lib/${folder}/faketime/libfaketime.so.1`
    if (existsSync(path)) return path
  }
  throw new Error('expected libfaketime below /usr/lib: run script/requirements test')
}

const rolling: Kind = {
  name: 'workers: rolling restart',
  targets: ['all docks'],
  lanes: () => docks.flatMap(workerLane),
  holds: 0,
  takes: 7,
  async inject({ site }) {
    const exits: Exit[] = []
    for (const machine of site.machines) {
      machine.inHand = true
      exits.push(await machine.worker.stop(15_000))
      await machine.mend()
      await acts(machine)
    }
    return {
      proof: done(`ended one after the other, with exit codes ${exits.map(({ code }) => code).join()}`),
      heal: async () => {},
    }
  },
}

export const workerFaults: Kind[] = [
  hits({ ...onWorker, name: 'worker: kill -9', blow: kill, holds: 1, takes: 5 }),
  hits({ ...onWorker, name: 'worker: frozen beyond its lease', blow: freeze, holds: beyondLease, takes: beyondLease }),
  hits({ ...onWorker, name: 'worker: SIGTERM', blow: terminate, holds: 0, takes: 5 }),
  ...points.map(crash),
  second,
  clock,
  rolling,
]
