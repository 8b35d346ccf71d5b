import { setTimeout as pause } from 'node:timers/promises'
import type { Setting } from './setting'
import { openDirectTerminal, openFleetTerminal } from './terminal'
import { noTimes, rounds, timeOf, type Times } from './times'

/** As between the strokes of somebody who types very fast, in milliseconds: neither key pays for what the other has left behind. */
const gapMs = 10

/** How long a key takes to come back from `cat` on a terminal in a container, through the fleet and past it by turns. */
export async function measureEcho(setting: Setting, id: string, forMs: number): Promise<Times> {
  const direct = await openDirectTerminal(setting.engine, id)
  const fleet = await openFleetTerminal(setting.url, id)
  const strike = async (times: Times): Promise<void> => {
    times.direct.push(await timeOf(() => direct.strike()))
    await pause(gapMs)
    times.fleet.push(await timeOf(() => fleet.strike()))
    await pause(gapMs)
  }
  const warmUp = noTimes()
  const times = noTimes()
  await rounds(forMs / 10, () => strike(warmUp))
  await rounds(forMs, () => strike(times))
  await direct.close()
  await fleet.close()
  return times
}
