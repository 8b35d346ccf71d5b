import { readFile } from 'node:fs/promises'
import type { FaultOutcome, Outcome } from './campaign'

export const readOutcome = async (file: string): Promise<Outcome> => JSON.parse(await readFile(file, 'utf8')) as Outcome

/** A campaign's figures as Markdown. */
export function reportOf(outcome: Outcome): string {
  const { seed, minutes, rounds, faults, acknowledged, states, violations, quiescentMs } = outcome
  const fired = faults.filter((fault) => fault.fired !== undefined)
  const byKind = new Map<string, FaultOutcome[]>()
  for (const fault of faults) byKind.set(fault.kind, [...(byKind.get(fault.kind) ?? []), fault])
  const ends = Object.entries(states).map(([state, count]) => `${count} ${state}`)
  return `Seed ${seed}, ${minutes.toFixed(0)} minutes, ${rounds} rounds: ${fired.length} faults of ${byKind.size} kinds.
${acknowledged} acknowledged jobs ended: ${ends.join(', ')}. Broken promises: ${violations.length}.
After a round's last fault had been healed all was done and in order again within ${seconds(quiescentMs)} s (median / worst).

| fault | happened | recovery by itself, median s | worst s | worst among other faults, s |
|---|---|---|---|---|
${[...byKind]
  .sort(([one], [other]) => one.localeCompare(other))
  .map(rowOf)
  .join('\n')}

Recovery is the time from the beginning of the healing until whoever was hit did its first job again.
`
}

function rowOf([kind, faults]: [string, FaultOutcome[]]): string {
  const fired = faults.filter((fault) => fault.fired !== undefined).length
  const own = faults.flatMap(({ recoveryMs, alone }) => (alone ? (recoveryMs ?? []) : []))
  const among = faults.flatMap(({ recoveryMs, alone }) => (alone ? [] : (recoveryMs ?? [])))
  const happened = fired === faults.length ? String(fired) : `${fired} of ${faults.length}`
  const times = [quantile(own, 0.5), quantile(own, 1), quantile(among, 1)].map(inSeconds)
  return `| ${kind} | ${happened} | ${times.join(' | ')} |`
}

const seconds = (times: number[]): string => `${inSeconds(quantile(times, 0.5))} / ${inSeconds(quantile(times, 1))}`

const inSeconds = (ms: number | undefined): string => (ms === undefined ? '–' : (ms / 1000).toFixed(1))

function quantile(values: number[], part: number): number | undefined {
  const sorted = [...values].sort((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]
}
