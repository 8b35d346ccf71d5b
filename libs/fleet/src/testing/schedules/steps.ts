import { awake, comeBack, every, goSilent, graceEnds, recover, redisComesBack, thawAll, timeOut } from './faults'
import { advanceLook, beginLook, end, giveBack, handBack, renew, start, take } from './process'
import { advance, execute, mayWrite, post } from './run'
import { accept, type Dock, isOf, type Process, type Slot, type World } from './world'

/** One step of a schedule. The numbers choose among what there is, by their remainders. */
export interface Step {
  kind: StepKind
  dock: number
  which: number
}

type Play = (world: World, dock: Dock, which: number) => boolean | void

/** What can happen, and how often it is tried in comparison. A step that is not possible now does nothing. */
const steps = {
  // What workers do by themselves.
  work: [3, (world, dock, which) => every(dock, (process) => work(world, process, 1 + (which % 7)))],
  workOne: [
    24,
    (world, dock, which) => {
      const process = awake(dock, which)
      return process ? work(world, process, 1 + (which % 3), which) : false
    },
  ],
  takeFromCluster: [10, (world, dock, which) => withOne(dock, which, (process) => take(world, process, world.cluster))],
  takeFromOwn: [8, (world, dock, which) => withOne(dock, which, (process) => take(world, process, dock.topic))],
  renew: [3, (world, dock) => every(dock, (process) => renew(world, process))],
  comeBack: [4, (world, dock) => every(dock, (process) => comeBack(world, process))],
  look: [
    5,
    (world, dock, which) =>
      withOne(dock, which, (process) => {
        beginLook(process)
        return advanceLook(world, process, which % 4 !== 3)
      }),
  ],
  handBack: [2, (world, dock) => every(dock, (process) => handBack(world, process))],
  // What engines do.
  execute: [8, (world, dock, which) => answer(world, dock, which, 'ok')],
  executeAndFail: [3, (world, dock, which) => answer(world, dock, which, 'unknown')],
  executeAndSaySo: [2, (world, dock, which) => answer(world, dock, which, 'silent')],
  failWithoutActing: [1, (world, dock, which) => answer(world, dock, which, 'not-done')],
  // Faults.
  silence: [4, (world, dock, which) => goSilent(world, dock, which)],
  recover: [6, (world, dock) => recover(world, dock)],
  start: [3, (world, dock) => Boolean(start(world, dock))],
  kill: [1, (_, dock, which) => withAny(dock, which, end)],
  freeze: [1, (_, dock, which) => withAny(dock, which, (process) => void (process.frozen = true))],
  thaw: [3, (_, dock) => thawAll(dock)],
  leaseRunsOut: [
    1,
    (_, dock) => {
      const had = dock.lease !== 0
      dock.lease = 0
      return had
    },
  ],
  lockRunsOut: [
    5,
    (world, dock, which) => {
      const topic = which % 2 === 0 ? world.cluster : dock.topic
      const active = topic.filter(({ state }) => state === 'active')
      const entry = active[which % active.length]
      if (entry) giveBack(world, entry)
      return Boolean(entry)
    },
  ],
  replyTooLate: [2, (_, dock) => every(dock, (process) => timeOut(process))],
  redisGoes: [
    1,
    (world, _, which) => {
      if (which % 3 !== 0) return false
      const was = world.redisAway
      world.redisAway = true
      return !was
    },
  ],
  redisComesBack: [4, (world) => redisComesBack(world)],
  graceEnds: [2, (world) => graceEnds(world)],
  // People.
  acceptMore: [
    2,
    (world, _, which) => {
      const slots = world.slots.filter(
        ({ accepted, job }) => !accepted && job === (which % 2 === 0 ? 'several' : 'rival'),
      )
      for (const slot of slots) accept(world, slot)
      return slots.length > 0
    },
  ],
  cancel: [1, (world, _, which) => cancel(world, world.slots[which % world.slots.length] as Slot)],
  rollBack: [1, (world, _, which) => rollBack(world, world.slots[which % world.slots.length] as Slot)],
  removeBehind: [1, (world, dock, which) => removeBehind(world, dock, which)],
  takeName: [
    1,
    (world, dock, which) => which > 8 && takeName(world, dock, world.slots[which % world.slots.length] as Slot),
  ],
} satisfies Record<string, [number, Play]>

export type StepKind = keyof typeof steps

/** Every kind, as often as it is to be tried. */
export const kinds = (Object.keys(steps) as StepKind[]).flatMap((kind) => Array<StepKind>(steps[kind][0]).fill(kind))

/** Plays one step, on the first dock from the given one on where it is possible. What did something is noted in the trace. */
export function play(world: World, { kind, dock: first, which }: Step): void {
  const count = world.docks.length
  for (let n = 0; n < count; n++) {
    const dock = world.docks[(first + n) % count] as Dock
    if ((steps[kind][1] as Play)(world, dock, which) === false) continue
    world.trace.push(`${kind} ${dock.hostname} ${which}`)
    return
  }
}

/** Works on runs, and has their requests carried out, up to so many steps. */
function work(world: World, process: Process, steps: number, only?: number): boolean {
  let worked = false
  for (let n = 0; n < steps; n++) {
    const { runs } = process
    const run = only === undefined ? (runs.find((run) => !run.waiting) ?? runs[0]) : runs[only % runs.length]
    if (!run) return worked
    if (run.waiting && !run.reply && only === undefined && process.dock.requests.includes(run.waiting))
      execute(world, process.dock, run.waiting, 'ok')
    worked = advance(world, process, run) || worked
  }
  return worked
}

/** One script: the outcome, and what was made up to now is nobody's. */
function cancel(world: World, slot: Slot): boolean {
  const ended = world.redisAway || !slot.accepted ? null : world.protocol.settle(slot.state, null, false)
  if (!ended) return false
  slot.state = ended
  slot.outcomes.push({ state: 'cancelled', dock: '', container: '' })
  slot.unwanted = true
  return true
}

/** Another slot of the job failed: the dock removes what this one made. */
function rollBack(world: World, slot: Slot): boolean {
  const [outcome] = slot.outcomes
  if (world.redisAway || slot.unwanted || outcome?.state !== 'completed') return false
  slot.state = world.protocol.change(slot.state, { do: 'revoke' })
  slot.unwanted = true
  const dock = world.docks.find(({ hostname }) => hostname === outcome.dock)
  const process = dock?.processes.find((process) => !process.frozen && mayWrite(world, process, process.period))
  if (!process) return true
  const of = world.protocol.removesBy === 'name' ? slot.name : outcome.container
  post(world, process, { what: 'remove', of, labels: { job: '', slot: 0, epoch: 0 }, answer: () => {} })
  return true
}

function removeBehind(world: World, dock: Dock, which: number): boolean {
  if (which % 3 !== 0) return false
  const container = dock.containers[which % dock.containers.length]
  if (!container) return false
  dock.containers.splice(dock.containers.indexOf(container), 1)
  const slot = world.slots.find((slot) => isOf(container, slot))
  const made = slot?.outcomes[0]?.container === container.id
  if (slot && slot.removed !== 'after') slot.removed = made ? 'after' : 'before'
  return true
}

function takeName(world: World, dock: Dock, { name }: Slot): boolean {
  if (dock.containers.some((container) => container.name === name)) return false
  dock.containers.push({ id: `c${++world.counter}`, name, job: '', slot: 0, epoch: 0, started: true })
  return true
}

function answer(world: World, dock: Dock, which: number, how: Parameters<typeof execute>[3]): boolean {
  const request = dock.requests[which % dock.requests.length]
  if (request) execute(world, dock, request, how)
  return Boolean(request)
}

function withOne(dock: Dock, which: number, task: (process: Process) => boolean): boolean {
  const process = awake(dock, which)
  return process ? task(process) : false
}

function withAny({ processes }: Dock, which: number, task: (process: Process) => void): boolean {
  const process = processes[which % processes.length]
  if (process) task(process)
  return Boolean(process)
}
