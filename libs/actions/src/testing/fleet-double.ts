import type { FleetDocks } from '../define-action'

/** A double of the fleet's docks for unit tests: it writes down what is asked of it. */
export function fleetDouble(): { docks: FleetDocks; asked: string[] } {
  const asked: string[] = []
  const note = (what: string) => (hostname: string) => {
    asked.push(`${what} ${hostname}`)
    return Promise.resolve()
  }
  return { docks: { register: note('register'), unregister: note('unregister') }, asked }
}
