import type { FleetDocks } from '../define-action'

/** A double of the fleet's docks for unit tests: it writes down what is asked of it, and as of when. */
export function fleetDouble(): { docks: FleetDocks; asked: string[]; asOf: number[] } {
  const asked: string[] = []
  const asOf: number[] = []
  const note = (what: string) => (hostname: string, acceptedAt: number) => {
    asked.push(`${what} ${hostname}`)
    asOf.push(acceptedAt)
    return Promise.resolve()
  }
  return { docks: { register: note('register'), unregister: note('unregister') }, asked, asOf }
}
