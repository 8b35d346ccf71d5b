import { best, type Churn } from './churn'
import type { JobRates, Rates } from './job-rates'
import { concurrency } from './job-sides'
import type { StartStop } from './start-stop'
import { median, p99 } from './statistics'
import type { Times } from './times'

export interface Figures {
  startStop: StartStop
  churn: Churn
  jobRates: JobRates
}

/** The figures as Markdown, as they stand in docs/performance.md. */
export function report({ startStop, churn, jobRates }: Figures): string {
  return [
    '| (a) one call at a time, ms | fleet p50 | direct p50 | added p50 | fleet p99 | direct p99 | ratio p50 | aim |',
    '|---|--:|--:|--:|--:|--:|--:|---|',
    timesRow('**start + stop**', startStop.both, 'added p50 ≤ 5'),
    timesRow('start', startStop.start),
    timesRow('stop', startStop.stop),
    timesRow('inspect', startStop.inspect),
    '',
    '| (b) create + start + delete, per second | fleet | direct | ratio | aim |',
    '|---|--:|--:|--:|---|',
    bestRow(churn),
    ...[...churn.fleet].map(([many, rate]) => churnRow(many, rate, churn.direct.get(many) ?? NaN)),
    '',
    `| (c) jobs that do nothing, per second, ${concurrency} at a time | fleet | bare BullMQ | ratio | aim |`,
    '|---|--:|--:|--:|---|',
    rateRow('**accepted and run**', jobRates.life, '≥ 0.5'),
    rateRow('run only, all waiting already', jobRates.drain),
    rateRow('accepted and run, by HTTP', { fleet: jobRates.http, bare: jobRates.life.bare }),
    '',
    `Rounds: ${startStop.both.fleet.length} (start + stop), ${startStop.inspect.fleet.length} (inspect), ` +
      `${jobRates.life.fleet.length} (jobs). (b) and (c) are medians of rounds.`,
  ].join('\n')
}

export function timesRow(name: string, { fleet, direct }: Times, aim = ''): string {
  const added = median(fleet) - median(direct)
  const figures = [median(fleet), median(direct), added, p99(fleet), p99(direct)].map((ms) => ms.toFixed(1))
  return row([name, ...figures, (median(fleet) / median(direct)).toFixed(2), aim])
}

function bestRow({ fleet, direct }: Churn): string {
  const [through, past] = [best(fleet), best(direct)]
  const told = ({ rate, concurrency }: typeof past): string => `${rate.toFixed(2)} (${concurrency} at a time)`
  return row(['**best of each**', told(through), told(past), (through.rate / past.rate).toFixed(2), '≥ 0.9'])
}

const churnRow = (many: number, fleet: number, direct: number): string =>
  row([`${many} at a time`, fleet.toFixed(2), direct.toFixed(2), (fleet / direct).toFixed(2), ''])

function rateRow(name: string, { fleet, bare }: Rates, aim = ''): string {
  const ratio = median(fleet) / median(bare)
  return row([name, median(fleet).toFixed(0), median(bare).toFixed(0), ratio.toFixed(2), aim])
}

export const row = (cells: string[]): string => `| ${cells.join(' | ')} |`
