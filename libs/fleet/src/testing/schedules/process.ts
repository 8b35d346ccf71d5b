import { mayWrite, post } from './run'
import { type Dock, type Entry, holdsLease, type Look, type Process, type Slot, type World } from './world'

/** A new incarnation of a dock's worker, where the lease is free. The jobs of the one before go back to the dock's topic. */
export function start(world: World, dock: Dock): Process | undefined {
  if (world.redisAway || dock.lease !== 0) return undefined
  const incarnation = ++world.counter
  dock.lease = incarnation
  const process: Process = {
    dock,
    incarnation,
    frozen: false,
    period: 1,
    seenTo: 0,
    runs: [],
    look: null,
    remembered: new Set(),
  }
  dock.processes.push(process)
  for (const entry of dock.topic) if (entry.state === 'active') giveBack(world, entry)
  return process
}

export function end(process: Process): void {
  process.dock.processes = process.dock.processes.filter((other) => other !== process)
}

/** A heartbeat: a lease that ran out is won back where it is free; where another has it, this worker ends. */
export function renew(world: World, process: Process): boolean {
  const { dock } = process
  if (world.redisAway || process.frozen || holdsLease(process)) return false
  if (dock.lease !== 0) end(process)
  else {
    dock.lease = process.incarnation
    process.period++
    process.look = null
  }
  return true
}

/** Takes the first entry that waits on the cluster topic, or on the dock's own. */
export function take(world: World, process: Process, topic: Entry[]): boolean {
  if (world.redisAway || process.seenTo !== process.period || !holdsLease(process)) return false
  const entry = topic.find(({ state }) => state === 'waiting')
  if (!entry) return false
  entry.state = 'active'
  entry.token = ++world.counter
  process.runs.push({
    entry,
    token: entry.token,
    phase: 'claim',
    claim: null,
    under: { hostname: '', epoch: 0 },
    container: '',
    failed: false,
    sent: false,
    period: process.period,
    waiting: null,
    reply: null,
  })
  return true
}

/** Gives a slot that nothing was sent for back to its topic, so that another dock may have it. */
export function handBack(world: World, process: Process): boolean {
  const run = process.runs.find(({ phase, sent }) => phase === 'create' && !sent)
  if (!run || world.redisAway) return false
  const { slot } = run.entry
  slot.state = world.protocol.change(slot.state, { do: 'release', ...run.under })
  if (run.entry.token === run.token) giveBack(world, run.entry)
  process.runs.splice(process.runs.indexOf(run), 1)
  return true
}

/** A lock that was lost: the entry is there to be taken again, and whoever had it goes on without knowing. */
export function giveBack(world: World, entry: Entry): void {
  entry.state = 'waiting'
  entry.token = ++world.counter
}

/** Begins a look of the reaper: the one at the return, if that is due. */
export function beginLook(process: Process): void {
  process.look ??= {
    atReturn: process.seenTo !== process.period,
    observed: null,
    judged: false,
    removals: [],
    pending: 0,
  }
}

/** Takes a look one step on: list, claims, removals. False where it has to wait, or is not being taken. */
export function advanceLook(world: World, process: Process, complete = true): boolean {
  const { look, dock } = process
  if (!look || !holdsLease(process)) return false
  if (!look.observed) {
    const containers = dock.containers.filter(({ job }) => job !== '').map((container) => ({ ...container }))
    look.observed = { complete, containers: complete ? containers : containers.slice(1) }
    return true
  }
  if (!look.judged) {
    if (world.redisAway) return false
    judge(world, process, look)
    return true
  }
  if (look.removals.length > 0) return sendRemoval(world, process, look)
  if (look.pending > 0) return false
  if (look.atReturn && look.observed.complete) process.seenTo = process.period
  process.look = null
  return true
}

function judge({ protocol, slots }: World, process: Process, look: Look): void {
  const observed = look.observed ?? { complete: false, containers: [] }
  const claims = observed.containers.map(({ job, slot }) => claimOf(slots, job, slot))
  const self = process.dock.hostname
  look.judged = true
  if (look.atReturn) {
    look.removals = protocol.reconcile(observed, claims, self)
    return
  }
  const { now, remember } = protocol.reconcileGently(observed, claims, self, process.remembered)
  look.removals = now
  process.remembered = remember
}

const claimOf = (slots: Slot[], job: string, slot: number) =>
  slots.find((other) => other.job === job && other.slot === slot)?.state.claim ?? null

function sendRemoval(world: World, process: Process, look: Look): boolean {
  const [first, ...rest] = look.removals
  if (!first || !mayWrite(world, process, process.period)) return false
  look.removals = rest
  look.pending++
  const seen = look.observed?.containers.find(({ id }) => id === first.remove)
  const name = process.dock.containers.find(({ id }) => id === seen?.id)?.name
  post(world, process, {
    what: 'remove',
    of: world.protocol.removesBy === 'name' && name !== undefined ? name : first.remove,
    labels: { job: '', slot: 0, epoch: 0 },
    answer: (reply) => {
      look.pending--
      // Not known whether it went: the look at the return is taken again.
      if (reply === 'unknown' && process.look === look) process.look = null
    },
  })
  return true
}
