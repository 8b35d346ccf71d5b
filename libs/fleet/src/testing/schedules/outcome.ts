import { comeBack, graceEnds, timeOut } from './faults'
import { advanceLook, beginLook, giveBack, renew, start, take } from './process'
import type { Protocol } from './protocol'
import { advance, execute } from './run'
import { play, type Step } from './steps'
import { type Dock, type Entry, holdsLease, isOf, newWorld, type Slot, type World } from './world'

/** So many rounds are enough for all that a schedule can leave behind. */
const maxRounds = 20

/** Plays a schedule, heals everything, lets all run dry, and tells what is wrong then. */
export function outcomeOf(protocol: Protocol, docks: number, schedule: readonly Step[]): World {
  const world = newWorld(protocol, docks)
  for (const dock of world.docks) for (const process of [start(world, dock)]) if (process) comeBack(world, process)
  for (const step of schedule) play(world, step)
  heal(world)
  let rounds = 0
  while (!isDry(world) && rounds++ < maxRounds) for (const dock of world.docks) runDry(world, dock)
  if (rounds >= maxRounds) world.violations.push(`work is left: ${leftOver(world)}`)
  for (let look = 0; look < 3; look++) for (const dock of world.docks) lookFully(world, dock)
  for (const slot of world.slots) if (slot.accepted) world.violations.push(...wrongWith(world, slot))
  return world
}

function heal(world: World): void {
  play(world, { kind: 'redisComesBack', dock: 0, which: 0 })
  for (const dock of world.docks) {
    for (const process of dock.processes) process.frozen = false
    carryOut(world, dock)
    // Those that the lease is not free for end, as they would.
    for (const process of dock.processes) renew(world, process)
    if (!dock.processes.some(holdsLease)) {
      dock.lease = 0
      start(world, dock)
    }
  }
  graceEnds(world)
}

/** One round in which this dock does all that it can. */
function runDry(world: World, dock: Dock): void {
  for (const process of dock.processes) {
    renew(world, process)
    comeBack(world, process)
    for (const topic of [world.cluster, dock.topic]) untilStill(() => take(world, process, topic))
    for (const run of process.runs.slice()) untilStill(() => advance(world, process, run) || carryOut(world, dock))
    timeOut(process)
  }
  for (const topic of [world.cluster, dock.topic]) {
    for (const entry of topic) if (entry.state === 'active' && !isWorkedOn(world, entry)) giveBack(world, entry)
  }
}

/** A wrong way may go round for ever. */
function untilStill(step: () => boolean): void {
  for (let left = 100; left > 0 && step(); left--);
}

function carryOut(world: World, dock: Dock): boolean {
  const sent = [...dock.requests]
  for (const request of sent) execute(world, dock, request, 'ok')
  return sent.length > 0
}

function lookFully(world: World, dock: Dock): void {
  for (const process of dock.processes.filter(holdsLease)) {
    process.look = null
    beginLook(process)
    untilStill(() => advanceLook(world, process) || carryOut(world, dock))
  }
}

const isWorkedOn = ({ docks }: World, entry: Entry): boolean =>
  docks.some(({ processes }) =>
    processes.some(({ runs }) => runs.some((run) => run.entry === entry && run.token === entry.token)),
  )

const topicsOf = ({ cluster, docks }: World): Entry[] => [...cluster, ...docks.flatMap(({ topic }) => topic)]

const isDry = (world: World): boolean =>
  topicsOf(world).every(({ state }) => state === 'done') &&
  world.docks.every(
    ({ requests, processes }) => requests.length === 0 && processes.every(({ runs }) => runs.length === 0),
  )

const leftOver = (world: World): string =>
  world.docks
    .flatMap(({ hostname, processes }) =>
      processes.flatMap(({ runs }) => runs.map(({ entry, phase }) => `${hostname} ${entry.id} ${phase}`)),
    )
    .concat(
      topicsOf(world)
        .filter(({ state }) => state !== 'done')
        .map(({ id, state }) => `${id} ${state}`),
    )
    .join(', ')

function wrongWith({ docks }: World, slot: Slot): string[] {
  const there = docks.flatMap(({ hostname, containers }) =>
    containers.filter((container) => isOf(container, slot)).map((container) => ({ ...container, hostname })),
  )
  const [outcome, ...others] = slot.outcomes
  const is = `${slot.key} is ${outcome?.state ?? 'not ended'}, with ${there.map(({ id, hostname }) => `${id} on ${hostname}`).join(' and ') || 'no container'}`
  if (!outcome || others.length > 0) return [`${is}: it ended ${slot.outcomes.length} times`]
  if (there.length > 1) return [`${is}: more than one`]
  if (outcome.state === 'completed' && !slot.unwanted && slot.removed === 'no') {
    const [one] = there
    const isTheOne = one?.id === outcome.container && one.hostname === outcome.dock && one.started
    return isTheOne ? [] : [`${is}: expected ${outcome.container} on ${outcome.dock}, started`]
  }
  const mayHaveOne = outcome.state === 'completed' && !slot.unwanted && slot.removed === 'before'
  // A create that had timed out, and was carried out when all was over: it is there, but nobody starts it.
  const isLate =
    outcome.state === 'completed' && !slot.unwanted && slot.removed === 'after' && there[0]?.started === false
  return there.length === 0 || mayHaveOne || isLate ? [] : [`${is}: expected none`]
}
