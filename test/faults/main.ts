import { writeFile } from 'node:fs/promises'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { removeRun, runFolder, sweepDeadRuns } from '../support/run-folder'
import { type Outcome, runCampaign } from './campaign'
import { keepEvidence } from './evidence'
import { readOutcome, reportOf } from './report'
import { Site } from './site'

const usage = `npm run faults -- [--minutes N] [--seed N] [--out FILE]   run the campaign, as root; 10 minutes unless told
npm run faults -- --report FILE                          a campaign's JSON report as Markdown

--seed     the same seed gives the same schedule; the time of day unless told
--out      where the JSON report goes; deblox-faults-SEED.json in the folder for temporary files unless told
--together N,M  how many faults a round has, at least and at most; 1,3 unless told
`

const options = {
  minutes: { type: 'string', default: '10' },
  seed: { type: 'string', default: String(Date.now() % 2 ** 32) },
  together: { type: 'string', default: '1,3' },
  out: { type: 'string' },
  report: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const

/** Seconds that a round's faults last at the most. */
const roundSeconds = 16

async function main(): Promise<number> {
  const { values } = parseArgs({ options })
  if (values.help) {
    process.stdout.write(usage)
    return 0
  }
  if (values.report !== undefined) {
    process.stdout.write(reportOf(await readOutcome(values.report)))
    return 0
  }
  const seed = Number(values.seed)
  const [least = 1, most = least] = values.together.split(',').map(Number)
  const file = values.out ?? join(tmpdir(), `deblox-faults-${seed}.json`)
  await sweepDeadRuns()
  endOnSignals()
  try {
    return await campaign(seed, Number(values.minutes), [least, most], file)
  } finally {
    await removeRun(runFolder())
  }
}

async function campaign(seed: number, minutes: number, faults: [number, number], file: string): Promise<number> {
  say(`seed ${seed}, ${minutes} minutes; report: ${file}`)
  const site = await Site.start()
  const outcome = await runCampaign({
    site,
    seed,
    size: { faults, seconds: roundSeconds, long: true },
    goOn: (outcome) => {
      if (outcome.rounds > 0) void write(file, outcome)
      return performance.now() < minutes * 60_000
    },
    say,
    async onViolation(outcome, history) {
      const folder = join(tmpdir(), `deblox-faults-${seed}`, `round-${outcome.rounds}`)
      await keepEvidence(folder, site, outcome, history)
      say(`evidence: ${folder}`)
    },
  })
  await write(file, outcome)
  process.stdout.write(reportOf(outcome))
  await site.stop()
  const unfired = outcome.faults.filter(({ fired }) => fired === undefined)
  for (const { kind, target, trouble } of unfired) say(`did not happen: ${kind} (${target}): ${trouble}`)
  return outcome.violations.length + unfired.length > 0 ? 1 : 0
}

const write = (file: string, outcome: Outcome): Promise<void> =>
  writeFile(file, `${JSON.stringify(outcome, undefined, 2)}\n`)

/** Whatever has been started by then has the run's folder or mark, and goes with it. */
function endOnSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      void removeRun(runFolder()).finally(() => process.exit(128 + constants.signals[signal]))
    })
  }
}

/** Standard output is for the report alone. */
function say(line: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`)
}

void main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
    process.exit(1)
  },
)
