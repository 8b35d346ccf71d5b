import { Chance } from '../support/chance'

/** A campaign's choices: the same seed gives the same ones. */
export class Random extends Chance {
  shuffled<T>(items: readonly T[]): T[] {
    return items
      .map((item) => ({ item, at: this.next() }))
      .sort((one, other) => one.at - other.at)
      .map(({ item }) => item)
  }
}
