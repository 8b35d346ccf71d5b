import { row, timesRow } from './report'
import type { Beside } from './slow-reader'
import { median, p99 } from './statistics'
import type { StreamFigures } from './streams'

/** The figures as Markdown, as they stand in docs/performance.md. */
export function streamsReport({ inspect, echo, slowReader, logs, logBytes }: StreamFigures): string {
  const { memory, processors, offered, taken, read, others, same, mark } = slowReader
  const told = mark instanceof Error ? `no: ${mark.message}` : `yes, ${(mark / 1000).toFixed(1)} s after it read on`
  return [
    '| one at a time, ms | fleet p50 | direct p50 | added p50 | fleet p99 | direct p99 | ratio p50 | aim |',
    '|---|--:|--:|--:|--:|--:|--:|---|',
    timesRow('inspect, as a call', inspect, 'added p50 ≤ 2'),
    timesRow('a key struck on a terminal', echo, 'added p50 ≤ 5'),
    '',
    `| a log of ${logBytes / 1e6} MB that has ended, MB/s | fleet | direct | ratio | aim |`,
    '|---|--:|--:|--:|---|',
    row(['median', ...[logs.fleet, logs.direct].map(megabytes), ratio(logs.fleet, logs.direct), '≥ 0.3']),
    '',
    `| a reader of ${(read / 1000).toFixed(0)} KB/s, ${(offered / 1e6).toFixed(0)} MB/s offered, ${(taken / 1e6).toFixed(0)} MB/s ` +
      'taken by the worker | MB before | MB grown at the most | processors used | aim |',
    '|---|--:|--:|--:|---|',
    ...[...memory].map(([name, { before, growth }]) =>
      row([name, mib(before), mib(growth), (processors.get(name) ?? 0).toFixed(2), 'grown < 64']),
    ),
    row(['the daemon that is offering (a stand-in)', '', '', (processors.get('daemon') ?? 0).toFixed(2), '']),
    row(['what was dropped is marked', '', '', told, 'yes']),
    '',
    "| another caller's inspect, ms | with it p50 | without p50 | ratio p50 | with it p99 | without p99 | aim |",
    '|---|--:|--:|--:|--:|--:|---|',
    besideRow('of a container on another dock', others),
    besideRow('of the container that logs', same),
    '',
    `Rounds: ${inspect.fleet.length} (inspect), ${echo.fleet.length} (keys), ${logs.fleet.length} (logs), ` +
      `${others.along.length} (inspects beside the slow reader).`,
  ].join('\n')
}

function besideRow(name: string, { along, without }: Beside): string {
  const [withIt, without50] = [median(along), median(without)]
  const figures = [withIt, without50, withIt / without50, p99(along), p99(without)].map((figure) => figure.toFixed(2))
  return row([name, ...figures, 'ratio near 1'])
}

const megabytes = (rates: readonly number[]): string => (median(rates) / 1e6).toFixed(1)

const ratio = (one: readonly number[], other: readonly number[]): string => (median(one) / median(other)).toFixed(2)

const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(1)
