import type { Kind } from './fault'
import { Random } from './random'

export interface PlannedFault {
  kind: Kind
  target: string
  /** Seconds from the round's beginning; later where what it needs is still in another fault's hands. */
  at: number
  /** Of the fault's own numbers. */
  seed: number
}

export interface Size {
  /** How many faults a round has, at least and at most. */
  faults: readonly [number, number]
  /** How long a round's faults last at the most, in seconds, but for one that is longer by itself. */
  seconds: number
  /** Whether kinds take part that last for long. */
  long: boolean
}

/** Rounds of faults without end. The same seed gives the same ones, and each kind comes as often as any other. */
export function* planRounds(kinds: readonly Kind[], seed: number, size: Size): Generator<PlannedFault[], never> {
  const random = new Random(seed)
  const taking = kinds.filter(({ longOnly }) => size.long || !longOnly)
  let bag: Kind[] = []
  for (;;) {
    const [least, most] = size.faults
    const wanted = least + random.below(most - least + 1)
    const busyUntil = new Map<string, number>()
    const round: PlannedFault[] = []
    const left: Kind[] = []
    // Two bags at the most: a round may have no room for what is left in one.
    for (let looked = 0; round.length < wanted && looked < 2 * taking.length; looked++) {
      if (bag.length === 0) bag = random.shuffled(taking)
      const kind = bag.shift() as Kind
      const planned = place(kind, busyUntil, size, random)
      if (planned) round.push(planned)
      else left.push(kind)
    }
    bag = [...left, ...bag]
    yield round.sort((one, other) => one.at - other.at)
  }
}

/** The first of the kind's targets, in an order of chance, for which the round has room. */
function place(
  kind: Kind,
  busyUntil: Map<string, number>,
  { seconds }: Size,
  random: Random,
): PlannedFault | undefined {
  const [jitter, seed] = [random.next(), random.below(2 ** 32)]
  for (const target of random.shuffled(kind.targets)) {
    const lanes = kind.lanes(target)
    const at = Math.max(0, ...lanes.map((lane) => busyUntil.get(lane) ?? 0)) + jitter
    if (at > 1 && at + kind.takes > seconds) continue
    for (const lane of lanes) busyUntil.set(lane, at + kind.takes)
    return { kind, target, at, seed }
  }
  return undefined
}

/** One line for a fault of a schedule. */
export const tell = ({ kind, target, at }: PlannedFault): string => `${at.toFixed(1)} s: ${kind.name} (${target})`
