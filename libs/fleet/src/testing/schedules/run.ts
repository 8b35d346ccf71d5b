import type { Liveness } from '../../claim'
import type { Protocol } from './protocol'
import { add, type Dock, holdsLease, isOf, type Process, type Reply, type Request, type Run, type World } from './world'

/** Takes a run one step on: between any two steps its worker may be killed, frozen or cut off. False where it has to wait. */
export function advance(world: World, process: Process, run: Run): boolean {
  // A second copy of the slot has its turn when the first has ended.
  if (world.protocol.takesTurns && process.runs.find(({ entry }) => entry.slot === run.entry.slot) !== run) return false
  if (run.waiting) return takeReply(run)
  const { dock } = process
  const { slot } = run.entry
  const self = dock.hostname
  const { protocol } = world
  const needsRedis = ['claim', 'decide', 'reclaim', 'finish', 'complete']
  if (world.redisAway && needsRedis.includes(run.phase)) return false
  switch (run.phase) {
    case 'claim':
      slot.state = protocol.change(slot.state, { do: 'claim', hostname: self })
      run.claim = protocol.tell(slot.state)
      run.phase = 'decide'
      return true
    case 'decide':
      decide(world, process, run)
      return true
    case 'reclaim':
      slot.state = protocol.change(slot.state, { do: 'reclaim', hostname: self, was: run.under })
      run.claim = protocol.tell(slot.state)
      run.phase = 'decide'
      return true
    case 'create':
      return send(world, process, run, 'create', slot.name)
    case 'inspect':
      return inspect(world, process, run)
    case 'replace':
      return send(world, process, run, 'remove', nameFor(protocol, run, slot.name))
    case 'start':
      return send(world, process, run, 'start', run.container)
    case 'finish':
      return finish(world, process, run)
    case 'undo':
      return undo(world, process, run)
    case 'complete':
      if (run.entry.token === run.token) run.entry.state = 'done'
      run.phase = 'over'
      process.runs.splice(process.runs.indexOf(run), 1)
      return true
    case 'no-lease':
      if (!holdsLease(process) || process.seenTo !== process.period) return false
      run.period = process.period
      run.phase = 'claim'
      return true
    case 'over':
      return false
  }
}

function decide(world: World, { dock }: Process, run: Run): void {
  const { slot } = run.entry
  const holder = world.docks.find(({ hostname }) => hostname === run.claim?.hostname)
  const decision = world.protocol.decidePlacement(run.claim, dock.hostname, livenessOf(world, holder))
  switch (decision.do) {
    case 'act':
      run.under = decision.to
      run.phase = 'create'
      return
    case 'forward':
      if (holder) add(holder.topic, world.protocol.forwardId(slot.key, ++slot.hops), slot)
      run.phase = 'complete'
      return
    case 'reclaim':
      if (holder && livenessOf(world, holder) !== 'dead')
        world.violations.push(`${dock.hostname} took ${slot.key} over from ${holder.hostname}, which is not dead`)
      run.under = decision.was
      run.phase = 'reclaim'
      return
    case 'end':
      run.phase = slot.unwanted ? 'undo' : 'complete'
      return
    case 'claim':
    case 'wait':
      run.phase = 'claim'
  }
}

function livenessOf(world: World, holder: Dock | undefined): Liveness {
  if (holder && holder.lease !== 0) return 'alive'
  return world.grace ? 'unknown' : 'dead'
}

/** A lease that was lost and won back is another one: what began under the first is begun anew. */
export function mayWrite(world: World, process: Process, period: number): boolean {
  return !world.protocol.checksLease || (holdsLease(process) && process.period === period)
}

function send(world: World, process: Process, run: Run, what: Request['what'], of: string): boolean {
  if (!mayWrite(world, process, run.period)) {
    run.phase = 'no-lease'
    return true
  }
  const { job, slot } = run.entry.slot
  const request: Request = {
    what,
    of,
    labels: { job, slot, epoch: run.under.epoch },
    answer: (reply, id) => {
      if (run.waiting !== request) return
      run.reply = reply
      run.container = id ?? run.container
    },
  }
  run.waiting = request
  run.sent = true
  run.reply = null
  post(world, process, request)
  return true
}

/** Sends a write to the process's engine. */
export function post(world: World, process: Process, request: Request): void {
  if (!holdsLease(process)) world.violations.push(`${process.dock.hostname} sent ${request.what} without its lease`)
  process.dock.requests.push(request)
}

function takeReply(run: Run): boolean {
  const { waiting, reply } = run
  if (!waiting || !reply) return false
  run.waiting = null
  // An answer that does not tell: the same is tried again, and meets what was done.
  if (reply === 'unknown') return true
  if (waiting.what === 'create') run.phase = reply === 'exists' ? 'inspect' : 'start'
  else if (waiting.what === 'remove') run.phase = run.phase === 'undo' ? 'complete' : 'create'
  else {
    run.failed = reply === 'gone'
    run.phase = 'finish'
  }
  return true
}

function inspect(world: World, { dock }: Process, run: Run): boolean {
  const { slot } = run.entry
  const found = dock.containers.find(({ name }) => name === slot.name)
  if (!found) {
    run.phase = 'create'
    return true
  }
  run.container = found.id
  switch (world.protocol.meet(found, { job: slot.job, slot: slot.slot, epoch: run.under.epoch })) {
    case 'adopt':
      run.phase = found.started ? 'finish' : 'start'
      return true
    case 'replace':
      run.phase = 'replace'
      return true
    case 'stand-back':
      run.phase = 'claim'
      return true
    case 'conflict':
      run.failed = true
      run.phase = 'finish'
      return true
  }
}

function finish(world: World, process: Process, run: Run): boolean {
  const { dock } = process
  const { slot } = run.entry
  const { settle, yieldsToSuccessor } = world.protocol
  const isReplaced = yieldsToSuccessor && dock.lease !== 0 && !holdsLease(process)
  const under = { hostname: dock.hostname, epoch: run.under.epoch }
  const ended = isReplaced ? null : settle(slot.state, under, !run.failed)
  if (ended) {
    slot.state = ended
    const state = run.failed ? 'failed' : 'completed'
    slot.outcomes.push({ state, dock: dock.hostname, container: run.failed ? '' : run.container })
  }
  // Refused, it looks where the slot is now.
  run.failed = false
  run.phase = ended ? 'complete' : world.protocol.afterRefusal
  return true
}

/** The slot was cancelled meanwhile: what this run has made goes. Without the lease that is left to the reaper. */
function undo(world: World, process: Process, run: Run): boolean {
  const { slot } = run.entry
  const made = process.dock.containers.find((container) => container.name === slot.name && isOf(container, slot))
  if (!made || !mayWrite(world, process, run.period)) run.phase = 'complete'
  else {
    run.container = made.id
    send(world, process, run, 'remove', nameFor(world.protocol, run, slot.name))
  }
  return true
}

const nameFor = ({ removesBy }: Protocol, run: Run, name: string): string => (removesBy === 'id' ? run.container : name)

/** Carries a request out; `how` says whether the engine acts, and what it answers. */
export function execute(
  world: World,
  dock: Dock,
  request: Request,
  how: 'ok' | 'unknown' | 'silent' | 'not-done',
): void {
  dock.requests.splice(dock.requests.indexOf(request), 1)
  if (how === 'not-done') return request.answer('unknown')
  const { reply, id } = act(world, dock, request)
  if (how === 'ok') request.answer(reply, id)
  else if (how === 'unknown') request.answer('unknown')
}

function act(world: World, dock: Dock, { what, of, labels }: Request): { reply: Reply; id?: string } {
  if (what === 'create') {
    if (dock.containers.some(({ name }) => name === of)) return { reply: 'exists' }
    const id = `c${++world.counter}`
    dock.containers.push({ id, name: of, ...labels, started: false })
    return { reply: 'ok', id }
  }
  const found = dock.containers.find(({ id, name }) => id === of || name === of)
  if (!found) return { reply: 'gone' }
  if (what === 'start') found.started = true
  else {
    if (found.job === '') world.violations.push(`a container that is not Deblox's was removed from ${dock.hostname}`)
    dock.containers.splice(dock.containers.indexOf(found), 1)
  }
  return { reply: 'ok' }
}
