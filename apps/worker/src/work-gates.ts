import { Gate } from './gate'

/** The gates through which work comes to this dock. */
export class WorkGates {
  /** Open while jobs may be taken from this dock's own topic. */
  readonly own = new Gate()
  /** Open while jobs may be taken from the cluster topic. */
  readonly cluster = new Gate()
  private places = false

  /** Whether new containers might be placed here when this was last set. */
  get placing(): boolean {
    return this.places
  }

  /** `onlyOne`: nobody else would take from the cluster topic what needs no daemon. */
  set({ own, placing, onlyOne = false }: { own: boolean; placing: boolean; onlyOne?: boolean }): void {
    this.places = placing
    this.own.set(own)
    this.cluster.set(placing || onlyOne)
  }

  shut(): void {
    this.set({ own: false, placing: false })
  }

  /** No more new containers; the dock's own work goes on. */
  stopPlacing(): void {
    this.set({ own: this.own.isOpen(), placing: false })
  }
}
