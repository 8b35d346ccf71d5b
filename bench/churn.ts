import { call } from './http'
import type { Setting } from './setting'
import { median } from './statistics'
import { undisturbed } from './undisturbed'

/** Containers created, started and deleted per second, by how many at a time. */
export interface Churn {
  fleet: Map<number, number>
  direct: Map<number, number>
}

/** A container's life; to be called many times at once. */
type Cycle = () => Promise<unknown>

/** Creates, starts and deletes containers, so many at a time, through the fleet and past it by turns. */
export async function measureChurn(
  setting: Setting,
  { concurrencies, windows, windowMs }: { concurrencies: readonly number[]; windows: number; windowMs: number },
): Promise<Churn> {
  const direct = directCycle(setting)
  const fleet = fleetCycle(setting)
  const rates = { fleet: new Map<number, number[]>(), direct: new Map<number, number[]>() }
  await Promise.all([direct(), fleet()])
  for (let window = 0; window < windows; window++) {
    for (const concurrency of concurrencies) {
      const past = await undisturbed(setting, 'long', () => rateOf(direct, concurrency, windowMs))
      note(rates.direct, concurrency, past)
      note(rates.fleet, concurrency, await rateOf(fleet, concurrency, windowMs))
    }
  }
  return { fleet: medians(rates.fleet), direct: medians(rates.direct) }
}

/** The best rate, and how many at a time gave it. */
export function best(rates: ReadonlyMap<number, number>): { concurrency: number; rate: number } {
  const [first, ...others] = [...rates].map(([concurrency, rate]) => ({ concurrency, rate }))
  if (!first) throw new RangeError('expected at least one rate, got none')
  return others.reduce((most, next) => (next.rate > most.rate ? next : most), first)
}

function directCycle({ engine: { docker } }: Setting): Cycle {
  return async () => {
    const container = await docker.createContainer({ Image: 'busybox', HostConfig: { NetworkMode: 'host' } })
    await container.start()
    await container.remove({ force: true })
  }
}

function fleetCycle({ url }: Setting): Cycle {
  return async () => {
    const created = await call(`${url}/v1/containers`, 'POST', { image: 'busybox', network: 'host' })
    const { id } = (created as { containers: [{ id: string }] }).containers[0]
    await call(`${url}/v1/containers/${id}/start`, 'POST')
    await call(`${url}/v1/containers/${id}?force=true`, 'DELETE')
  }
}

/** Cycles per second. None begins after the window's end, and all that have begun are waited for and counted. */
async function rateOf(cycle: Cycle, concurrency: number, windowMs: number): Promise<number> {
  const began = performance.now()
  let done = 0
  const line = async () => {
    while (performance.now() < began + windowMs) {
      await cycle()
      done++
    }
  }
  await Promise.all(Array.from({ length: concurrency }, line))
  return (done * 1000) / (performance.now() - began)
}

function note(rates: Map<number, number[]>, concurrency: number, rate: number): void {
  rates.set(concurrency, [...(rates.get(concurrency) ?? []), rate])
}

const medians = (rates: Map<number, number[]>): Map<number, number> =>
  new Map([...rates].map(([concurrency, all]) => [concurrency, median(all)]))
