import { constants } from 'node:os'
import { removeRun, runFolder, sweepDeadRuns } from '../test/support/run-folder'
import { measureChurn } from './churn'
import { measureJobRates } from './job-rates'
import { describeMachine, load } from './machine'
import { measureMemory } from './memory'
import { report } from './report'
import { say } from './say'
import { startSetting } from './setting'
import { measureSigning } from './signing'
import { measureStartStop } from './start-stop'
import { measureState } from './state'
import { measureStreams } from './streams'

const usage = `npm run bench               measure, and print Markdown: under 4 minutes, as root
npm run bench -- --memory   measure how much of Redis's memory the fleet's records take: half a minute
npm run bench -- --signing  measure what signing, verifying and authorising add to a start: a few seconds
npm run bench -- --streams  measure calls: inspect, terminals and logs through the bus: under 3 minutes, as root
npm run bench -- --state    measure the lists of a fleet of 1,000 docks with 100 containers each: under 3 minutes
npm run bench -- --quick    a smoke run, also of each of these: under 40 s, and its figures say little
`

/** How long each measurement lasts. */
const full = {
  startStopMs: 45_000,
  inspectMs: 6_000,
  churn: { concurrencies: [2, 4, 8], windows: 2, windowMs: 5_000 },
  jobs: { count: 2_000, forMs: 40_000 },
}
const quick: typeof full = {
  startStopMs: 4_000,
  inspectMs: 1_000,
  churn: { concurrencies: [4], windows: 1, windowMs: 3_000 },
  jobs: { count: 400, forMs: 0 },
}

/** What is measured, by the argument that asks for it; a quick run is asked for beside. */
const modes: Record<string, ((isQuick: boolean) => Promise<string>) | undefined> = {
  '': measure,
  '--memory': measureMemory,
  '--signing': measureSigning,
  '--streams': measureStreams,
  '--state': measureState,
}

async function main(args: string[]): Promise<void> {
  const [mode, ...more] = args.filter((arg) => arg !== '--quick')
  const measureMode = modes[mode ?? '']
  if (!measureMode || more.length > 0) {
    process.stdout.write(usage)
    process.exitCode = args[0] === '--help' ? 0 : 2
    return
  }
  await sweepDeadRuns()
  endOnSignals()
  try {
    process.stdout.write(`${await measureMode(args.includes('--quick'))}\n`)
  } finally {
    await removeRun(runFolder())
  }
}

async function measure(isQuick: boolean): Promise<string> {
  const plan = isQuick ? quick : full
  const loadBefore = load()
  say('starting an engine, Redis, an API and a worker')
  const setting = await startSetting()
  const machine = await describeMachine(setting)
  say('(a) start + stop, one at a time')
  const startStop = await measureStartStop(setting, plan.startStopMs, plan.inspectMs)
  say('(b) create + start + delete, many at a time')
  const churn = await measureChurn(setting, plan.churn)
  say('(c) jobs that do nothing')
  const jobRates = await measureJobRates(setting, plan.jobs)
  await setting.worker.stop()
  const noise = `Load average of the machine before the run: ${loadBefore}.`
  return `${machine} ${noise}\n\n${report({ startStop, churn, jobRates })}`
}

/** Whatever has been started by then has the run's folder or mark, and goes with it. */
function endOnSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      void removeRun(runFolder()).finally(() => process.exit(128 + constants.signals[signal]))
    })
  }
}

void main(process.argv.slice(2)).then(
  () => process.exit(),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
    process.exit(1)
  },
)
