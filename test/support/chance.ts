/** Random choices that a seed decides: the same seed gives the same test. */
export class Chance {
  private state: number

  constructor(readonly seed: number) {
    this.state = seed >>> 0
  }

  /** From 0 up to 1 (mulberry32). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let t = this.state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number from 0 to `below` - 1. */
  below(below: number): number {
    return Math.floor(this.next() * below)
  }

  one<T>(list: readonly T[]): T {
    if (list.length === 0) throw new Error('expected something to choose from')
    return list[this.below(list.length)] as T
  }

  /** Whether something of this probability happens. */
  happens(probability: number): boolean {
    return this.next() < probability
  }
}

/** The seed of all fuzzing: fixed, so that a run says the same twice; DEBLOX_FUZZ_SEED looks elsewhere. */
const seed = Number(process.env['DEBLOX_FUZZ_SEED'] ?? 20_141_124)

/** Runs a fuzzing with choices of its own, and tells the seed where it fails. */
export async function withChance<T>(fuzz: (chance: Chance) => Promise<T>): Promise<T> {
  try {
    return await fuzz(new Chance(seed))
  } catch (error) {
    throw new Error(`with DEBLOX_FUZZ_SEED=${seed}: ${(error as Error).message}`, { cause: error })
  }
}
