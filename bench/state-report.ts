import type { Pages } from './lists'
import { row } from './report'
import type { StateFigures } from './state'
import { median, p99 } from './statistics'

/** The figures as Markdown, as they stand in docs/performance.md. */
export function stateReport({ docks, containers, redis, empty, full, lists, visibility }: StateFigures): string {
  const grown = (of: 'resident' | 'heap'): string => bytes((full.held[of] - empty.held[of]) / containers)
  const seconds = (ms: number): string => (ms / 1000).toFixed(1)
  const { dead, hung, wrong } = lists
  return [
    `${docks} stub docks with ${containers / docks} containers each, in one process. Sick: ${dead} docks dead (no lease), ` +
      `calls to ${hung} others open that nobody answers.`,
    '',
    '| ms | healthy p50 | sick p50 | ratio p50 | healthy p99 | sick p99 | ratio p99 | aim |',
    '|---|--:|--:|--:|--:|--:|--:|---|',
    pagesRow('**first page of the list**', lists.first, 'p99 ≤ 50, ratio ≤ 1.1'),
    pagesRow('newest first, with counts of five facets', lists.newest),
    pagesRow('inspect on a dock that answers', lists.inspect),
    '',
    '| processors used, medians of windows | healthy | sick |',
    '|---|--:|--:|',
    usedRow('the replica that is asked', lists.replica),
    usedRow('Redis', lists.redis),
    '',
    '| | measured | aim |',
    '|---|--:|---|',
    row(['rows said to be stale that were not, or the other way round', String(wrong), '0']),
    row([
      'start of a replica until it answers a list, s',
      `${full.startMs.map(seconds).join(', ')} (without docks ${seconds(empty.startMs)})`,
      '≤ 10',
    ]),
    row(['a container in Redis, bytes', bytes((redis.all - redis.changes) / containers), '≤ 1,024']),
    row(['the stream of changes, which is bounded, MB', (redis.changes / 1e6).toFixed(1), '']),
    row(['a container in a replica, bytes of heap', grown('heap'), '≤ 2,048']),
    row(['a container in a replica, bytes resident', grown('resident'), '']),
    '',
    `| a change, ms until seen on each of ${visibility.replicas} replicas | p50 | p99 | longest | aim |`,
    '|---|--:|--:|--:|---|',
    seenRow('in a list', visibility.list),
    seenRow('among the events', visibility.event),
    '',
    `Rounds: ${lists.first.healthy.length} and ${lists.first.sick.length} (first pages), ${lists.newest.healthy.length} and ` +
      `${lists.newest.sick.length} (with facets), ${visibility.list.length} (changes × replicas).`,
  ].join('\n')
}

function pagesRow(name: string, { healthy, sick }: Pages, aim = ''): string {
  const half = [median(healthy), median(sick), median(sick) / median(healthy)]
  const most = [p99(healthy), p99(sick), p99(sick) / p99(healthy)]
  return row([name, ...[...half, ...most].map((figure) => figure.toFixed(2)), aim])
}

const usedRow = (name: string, { healthy, sick }: Pages): string =>
  row([name, ...[healthy, sick].map((used) => median(used).toFixed(2))])

const seenRow = (name: string, times: number[]): string =>
  row([name, ...[median(times), p99(times), Math.max(...times)].map((ms) => ms.toFixed(0)), '≤ 500'])

const bytes = (count: number): string => Math.round(count).toLocaleString('en')
