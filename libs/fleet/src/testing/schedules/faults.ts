import { advanceLook, beginLook, end, giveBack, renew, start } from './process'
import { execute } from './run'
import { type Dock, holdsLease, type Process, type World } from './world'

/** Frozen, killed or cut off for as long as it takes the others to notice: the lease ends, and its jobs are given to others. */
export function goSilent(world: World, dock: Dock, which: number): boolean {
  const process = awake(dock, which)
  if (!process || world.redisAway || process.runs.length === 0) return false
  if (which % 3 === 0) end(process)
  else if (which % 3 === 1) process.frozen = true
  if (holdsLease(process)) dock.lease = 0
  for (const { entry, token } of process.runs) {
    if (world.cluster.includes(entry) && entry.state === 'active' && entry.token === token) giveBack(world, entry)
  }
  return true
}

export function thawAll({ processes }: Dock): boolean {
  const frozen = processes.filter((process) => process.frozen)
  for (const process of frozen) process.frozen = false
  return frozen.length > 0
}

export function recover(world: World, dock: Dock): boolean {
  if (world.redisAway) return false
  const thawed = thawAll(dock)
  const renewed = every(dock, (process) => renew(world, process))
  const started = Boolean(start(world, dock))
  return every(dock, (process) => comeBack(world, process)) || started || renewed || thawed
}

export function redisComesBack(world: World): boolean {
  if (!world.redisAway) return false
  for (const dock of world.docks) dock.lease = 0
  world.redisAway = false
  world.grace = true
  return true
}

/** It is as long as a lease: whoever lives has renewed by then. */
export function graceEnds(world: World): boolean {
  const away = ({ lease, processes }: Dock) => lease === 0 && processes.some(({ frozen }) => !frozen)
  if (!world.grace || world.docks.some(away)) return false
  world.grace = false
  return true
}

export function timeOut(process: Process): boolean {
  const waiting = process.runs.filter((run) => run.waiting && !run.reply)
  for (const run of waiting) run.reply = 'unknown'
  const pending = process.look !== null && process.look.pending > 0
  if (pending) process.look = null
  return waiting.length > 0 || pending
}

/** The whole look at the return, without a fault. */
export function comeBack(world: World, process: Process): boolean {
  if (process.seenTo === process.period) return false
  if (process.look && !process.look.atReturn) process.look = null
  beginLook(process)
  while (advanceLook(world, process)) {
    if (!process.look) return true
    const removals = process.dock.requests.filter(({ what }) => what === 'remove')
    if (process.look.pending > 0) for (const request of removals) execute(world, process.dock, request, 'ok')
  }
  return false
}

/** What every worker of the dock does that is not frozen; whether any did something. */
export const every = ({ processes }: Dock, task: (process: Process) => boolean): boolean =>
  processes
    .filter(({ frozen }) => !frozen)
    .map(task)
    .includes(true)

export function awake({ processes }: Dock, which: number): Process | undefined {
  const able = processes.filter(({ frozen }) => !frozen)
  return able[which % able.length]
}
