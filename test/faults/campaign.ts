import { setTimeout as pause } from 'node:timers/promises'
import { eventually } from '../support/eventually'
import type { Scene } from './fault'
import { History } from './history'
import { kinds } from './kinds'
import { Load } from './load'
import { mendAll } from './mend'
import { Oracle, type Violation } from './oracle'
import { type PlannedFault, planRounds, type Size, tell } from './plan'
import { Random } from './random'
import { recovered } from './recovery'
import { mendRedis } from './redis-faults'
import type { Site } from './site'

export interface FaultOutcome {
  round: number
  kind: string
  target: string
  /** What shows that it happened. */
  fired?: string
  /** Why it could not be done, or was not seen to happen. */
  trouble?: string
  /** From its healing until whoever was hit did a job again. */
  recoveryMs?: number
  /** On the campaign's monotonic clock, in milliseconds: when it began, was healed, and was recovered from. */
  times: { began: number; healing: number; recovered: number }
  /** Whether no other fault was on or recovered from meanwhile, so that the recovery is its own. */
  alone: boolean
}

export interface Outcome {
  seed: number
  rounds: number
  minutes: number
  faults: FaultOutcome[]
  /** From the healing of a round's last fault until nothing was open any more. */
  quiescentMs: number[]
  acknowledged: number
  /** Terminal states of the acknowledged jobs. */
  states: Record<string, number>
  /** Reasons of failed jobs by code, the first few of each. */
  failures: Record<string, { count: number; examples: string[] }>
  /** Answers to the load by HTTP status; 0 for none. */
  answers: Record<string, number>
  violations: (Violation & { round: number })[]
  /** Processes that ended by themselves and were started again. */
  ownEnds: string[]
}

export interface CampaignOptions {
  site: Site
  seed: number
  size: Size
  /** Asked before each round. */
  goOn: (outcome: Outcome) => boolean
  say: (line: string) => void
  /** Called in a round that broke a promise, while all is still as it was. */
  onViolation: (outcome: Outcome, history: History) => Promise<void>
}

/** How long is waited for the proof that a fault has happened, in milliseconds. */
const proofMs = 90_000

/** How long one look for it may take, in milliseconds: a daemon that is hit may never answer. */
const proofLookMs = 30_000

/** So many requests are sent at once just before a fault. */
const burst = 3

/** Rounds of load and faults, each followed by healing and judgement. */
export async function runCampaign({ site, seed, size, goOn, say, onViolation }: CampaignOptions): Promise<Outcome> {
  const began = performance.now()
  const history = new History()
  const oracle = new Oracle(site, history)
  const load = new Load(site, history, new Random(seed + 1))
  const random = new Random(seed + 2)
  const outcome = emptyOutcome(seed)

  const judge = async (round: number, unmended: Violation[]): Promise<void> => {
    const found = [...unmended, ...(await oracle.judge(history.of(round)))]
    found.push(...(await oracle.judgeAgain(history.of(round - 1))))
    outcome.violations.push(...found.map((violation) => ({ ...violation, round })))
    tally()
    if (found.length === 0) return
    for (const { what, detail } of found) say(`VIOLATION: ${what}: ${detail}`)
    await onViolation(outcome, history)
  }

  const tally = (): void => {
    outcome.minutes = (performance.now() - began) / 60_000
    outcome.acknowledged = history.acknowledged.size
    outcome.states = count([...oracle.ended.values()])
    outcome.failures = Object.fromEntries(
      [...oracle.failures].map(([code, all]) => [code, { count: all.length, examples: all.slice(0, 5) }]),
    )
    outcome.answers = Object.fromEntries(history.answers)
    outcome.ownEnds = [...site.ownEnds, ...site.machines.flatMap(({ ownEnds }) => ownEnds)]
  }

  for (const planned of planRounds(kinds, seed, size)) {
    if (!goOn(outcome)) break
    const round = ++outcome.rounds
    history.round = round
    say(`round ${round}: ${planned.map(tell).join(', ')}`)
    load.start()
    const faults = await inLanes(planned, (fault) =>
      carryOut(fault, { site, load, history, random: new Random(fault.seed), target: fault.target }),
    )
    const unmended = await mendAll({ site, random }).then(
      () => [],
      (error: Error) => [{ what: 'the fleet does not come back though all is healed', detail: error.message }],
    )
    const healed = performance.now()
    await load.stop()
    outcome.faults.push(
      ...faults.map((fault) => ({ ...fault, round, alone: !faults.some((other) => disturbs(other, fault)) })),
    )
    for (const { kind, target, trouble } of faults) if (trouble) say(`  ${kind} (${target}): ${trouble}`)
    await judge(round, unmended)
    outcome.quiescentMs.push(performance.now() - healed)
    say(`  ${history.of(round).length} jobs, in order after ${Math.round(performance.now() - healed)} ms`)
  }
  const all = [...history.acknowledged.values()]
  const late = await oracle.judgeAgain(all)
  outcome.violations.push(...late.map((violation) => ({ ...violation, round: outcome.rounds })))
  tally()
  return outcome
}

/** Carries faults out at their times, one after the other where they have a lane in common. */
async function inLanes<T>(planned: PlannedFault[], carryOut: (fault: PlannedFault) => Promise<T>): Promise<T[]> {
  const lanes = new Map<string, Promise<unknown>>()
  const began = performance.now()
  return Promise.all(
    planned.map((fault) => {
      const own = fault.kind.lanes(fault.target)
      const before = Promise.all(own.map((lane) => lanes.get(lane) ?? Promise.resolve()))
      const carried = before.then(async () => {
        // The schedule's own time.
        await pause(Math.max(0, fault.at * 1000 - (performance.now() - began)))
        return carryOut(fault)
      })
      for (const lane of own) lanes.set(lane, carried)
      return carried
    }),
  )
}

type Carried = Omit<FaultOutcome, 'round' | 'alone'>

const disturbs = (other: Carried, fault: Carried): boolean =>
  other !== fault && other.times.began < fault.times.recovered && other.times.recovered > fault.times.healing

async function carryOut(fault: PlannedFault, scene: Scene): Promise<Carried> {
  const began = performance.now()
  const times = { began, healing: began, recovered: began }
  const carried: Carried = { kind: fault.kind.name, target: fault.target, times }
  try {
    scene.load.burst(burst)
    // Some milliseconds, so that the requests have come to different stages.
    await pause(scene.random.below(150))
    const struck = await inTime(fault.kind.inject(scene), `${fault.kind.name} is done`)
    // The fault's own duration.
    await pause(fault.kind.holds * 1000)
    const proof = eventually(
      () => inTime(Promise.resolve(struck.proof()), `${fault.kind.name} is looked for`, proofLookMs),
      (words) => words !== undefined,
      {
        within: proofMs,
        every: 100,
        what: `${fault.kind.name} is seen to happen`,
      },
    )
    const fired = await proof.catch((error: Error) => {
      carried.trouble = error.message
    })
    if (fired) carried.fired = fired
    times.healing = performance.now()
    await inTime(struck.heal(), `${fault.kind.name} is healed`)
    await recovered(scene.site, fault)
    carried.recoveryMs = performance.now() - times.healing
  } catch (error) {
    carried.trouble = error instanceof Error ? error.message : String(error)
    // What was begun may be half done: the next fault of its lane must not meet that.
    if (fault.target === 'redis') await mendRedis(scene)
  }
  times.recovered = performance.now()
  return carried
}

/** Longer than any fault takes, in milliseconds: nothing is waited for without an end. */
const strikeMs = 120_000

async function inTime<T>(task: Promise<T>, what: string, ms = strikeMs): Promise<T> {
  const over = new AbortController()
  const tooLate = pause(ms, undefined, { signal: over.signal, ref: false }).then(() => {
    throw new Error(`not within ${ms / 1000} s: ${what}`)
  })
  tooLate.catch(() => undefined)
  return Promise.race([task, tooLate]).finally(() => over.abort())
}

const emptyOutcome = (seed: number): Outcome => ({
  seed,
  rounds: 0,
  minutes: 0,
  faults: [],
  quiescentMs: [],
  acknowledged: 0,
  states: {},
  failures: {},
  answers: {},
  violations: [],
  ownEnds: [],
})

function count(words: string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1
  return counts
}
