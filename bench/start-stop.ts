import { setTimeout as pause } from 'node:timers/promises'
import { call } from './http'
import type { Setting } from './setting'
import { noTimes, rounds, timeOf, type Times } from './times'
import { undisturbed } from './undisturbed'

export interface StartStop {
  start: Times
  stop: Times
  /** The start's time plus the stop's, round by round. */
  both: Times
  /** A read that takes the engine about a millisecond: the fleet's share without the noise of the engine's own. */
  inspect: Times
}

/** Between two measured calls, so that neither pays for what the other has left behind. In milliseconds. */
const gapMs = 20

/**
 * Starts and stops one container, one call at a time, through the fleet and past it by turns. It has the host's network
 * and is stopped with a time-out of 0: what the engine itself needs is then as little as it can be.
 */
export async function measureStartStop(setting: Setting, startStopMs: number, inspectMs: number): Promise<StartStop> {
  const created = await call(`${setting.url}/v1/containers`, 'POST', { image: 'busybox', network: 'host' })
  const { id } = (created as { containers: [{ id: string }] }).containers[0]
  const container = setting.engine.docker.getContainer(id)
  const address = `${setting.url}/v1/containers/${id}`
  const direct: Way = {
    start: () => container.start(),
    stop: () => container.stop({ t: 0 }),
    inspect: () => container.inspect(),
  }
  const fleet: Way = {
    start: () => call(`${address}/start`, 'POST'),
    stop: () => call(`${address}/stop`, 'POST', { timeout: 0 }),
    inspect: () => call(address, 'GET'),
  }
  const start = noTimes()
  const stop = noTimes()
  const inspect = noTimes()
  for (const way of [direct, fleet]) await startAndStop(way)
  await rounds(startStopMs, async () => {
    const past = await undisturbed(setting, 'short', () => startAndStop(direct))
    const through = await startAndStop(fleet)
    start.direct.push(past.start)
    stop.direct.push(past.stop)
    start.fleet.push(through.start)
    stop.fleet.push(through.stop)
  })
  await rounds(inspectMs, async () => {
    inspect.direct.push(await timeOf(direct.inspect))
    inspect.fleet.push(await timeOf(fleet.inspect))
  })
  await call(address, 'DELETE')
  return { start, stop, both: sum(start, stop), inspect }
}

interface Way {
  start: () => Promise<unknown>
  stop: () => Promise<unknown>
  inspect: () => Promise<unknown>
}

async function startAndStop(way: Way): Promise<{ start: number; stop: number }> {
  const start = await timeOf(way.start)
  await pause(gapMs)
  const stop = await timeOf(way.stop)
  await pause(gapMs)
  return { start, stop }
}

const sum = (one: Times, other: Times): Times => ({
  fleet: one.fleet.map((ms, n) => ms + (other.fleet[n] ?? 0)),
  direct: one.direct.map((ms, n) => ms + (other.direct[n] ?? 0)),
})
