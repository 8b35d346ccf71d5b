import type { Machine } from './machine'
import type { Site } from './site'

/** A daemon that has not started a container after so long, in milliseconds, will not: it takes a fraction of a second. */
const startMs = 8_000

/**
 * Restarts engines that hang over a container of these jobs, and tells which. After kill -9 a dockerd whose containerd lived
 * on may never answer a start of a container that was just being started: it finds "id already in use", and waits for ever.
 */
export async function restartHungEngines(site: Site, jobs: string[]): Promise<string[]> {
  const found = await Promise.all(site.machines.map((machine) => hangsOver(machine, jobs)))
  for (const [n, container] of found.entries()) {
    const host = site.machines[n]?.host
    if (container === undefined || !host) continue
    await host.dockerd?.kill()
    await host.startDockerd()
  }
  return found.flatMap((container, n) => (container ? [`${site.machines[n]?.hostname}: start of ${container}`] : []))
}

/** The container that the engine does not start, though it is asked by nobody but us. */
async function hangsOver(machine: Machine, jobs: string[]): Promise<string | undefined> {
  const rows = await machine.census().catch(() => [])
  const unstarted = rows.filter(({ state, labels }) => state === 'created' && jobs.includes(labels['deblox.job'] ?? ''))
  for (const { id } of unstarted) {
    const abortSignal = AbortSignal.timeout(startMs)
    const start = machine.host.engine.docker.getContainer(id).start({ abortSignal })
    await start.catch(() => undefined)
    if (abortSignal.aborted) return id
  }
  return undefined
}
