import { beyondLease, docks, type Kind, machineOf, workerLane } from './fault'
import type { Machine } from './machine'

type Way = 'both ways' | 'from Redis' | 'to Redis'

/** Longer than a heartbeat and shorter than a lease: what a reset tears is joined again at once, and torn again. */
const short = 4

const dropped = ['-j', 'DROP']
const reset = ['-p', 'tcp', '-j', 'REJECT', '--reject-with', 'tcp-reset']

/** Cuts a worker off from Redis, in its own network namespace; its engine is beside it and does not notice. */
const cut = (how: 'packets dropped' | 'connections reset', way: Way, holds: number): Kind => ({
  name: `network: ${how} ${way}, ${holds} s`,
  targets: docks,
  lanes: workerLane,
  holds,
  takes: holds,
  async inject(scene) {
    const machine = machineOf(scene)
    await addRules(machine, how === 'packets dropped' ? dropped : reset, way)
    return {
      async proof() {
        const packets = await countPackets(machine)
        return packets > 0 ? `${packets} packets met the rule` : undefined
      },
      heal: () => joinNetwork(machine),
    }
  },
})

async function addRules(machine: Machine, verdict: string[], way: Way): Promise<void> {
  const { gateway } = machine.host
  if (way !== 'to Redis') await machine.host.inside('iptables', '-w', '-I', 'INPUT', '-s', gateway, ...verdict)
  if (way !== 'from Redis') await machine.host.inside('iptables', '-w', '-I', 'OUTPUT', '-d', gateway, ...verdict)
}

/** How many packets have met the rules, by iptables' own counters. */
async function countPackets(machine: Machine): Promise<number> {
  const tables = await Promise.all(
    ['INPUT', 'OUTPUT'].map((chain) => machine.host.inside('iptables', '-w', '-nvxL', chain)),
  )
  const rules = tables.flatMap((table) => table.split('\n')).filter((line) => line.includes(machine.host.gateway))
  return rules.reduce((sum, rule) => sum + Number(rule.trim().split(/\s+/)[0]), 0)
}

/** Takes all rules away. dockerd's own are in other chains. */
export async function joinNetwork(machine: Machine): Promise<void> {
  for (const chain of ['INPUT', 'OUTPUT']) await machine.host.inside('iptables', '-w', '-F', chain)
}

export const networkFaults: Kind[] = [
  cut('packets dropped', 'both ways', beyondLease),
  cut('packets dropped', 'from Redis', short),
  cut('packets dropped', 'to Redis', beyondLease),
  cut('connections reset', 'both ways', short),
  cut('connections reset', 'to Redis', short),
]
