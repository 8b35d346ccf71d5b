import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Outcome, runCampaign } from './campaign'
import { keepEvidence } from './evidence'
import { Site } from './site'

/** The same for everybody, so that a failure is one's own; DEBLOX_FAULTS_SEED tries another. */
const seed = Number(process.env['DEBLOX_FAULTS_SEED'] ?? 1)

/** No round begins later than this, in milliseconds: all of them are over within four minutes. */
const lastRoundAt = 175_000

const atLeast = { faults: 60, kinds: 15 }

test('whatever is killed, frozen or cut off: nothing is lost, nothing doubled, and all is in order soon after', async () => {
  const began = performance.now()
  const said: string[] = [`seed ${seed}`]
  const site = await Site.start()
  try {
    const outcome = await runCampaign({
      site,
      seed,
      size: { faults: [14, 16], seconds: 15, long: false },
      goOn: ({ faults, violations }) =>
        violations.length === 0 && (faults.length < atLeast.faults || performance.now() - began < lastRoundAt),
      say: (line) => said.push(line),
      async onViolation(outcome, history) {
        const folder = mkdtempSync(join(tmpdir(), `deblox-faults-${seed}-`))
        await keepEvidence(folder, site, outcome, history)
        said.push(`evidence: ${folder}`)
      },
    })
    expect(problemsOf(outcome, said)).toEqual([])
  } finally {
    await site.stop()
  }
}, 400_000)

/** What is wrong with a campaign, with all that it said, so that a failure shows how it came about. */
function problemsOf({ faults, violations, acknowledged, states }: Outcome, said: string[]): string[] {
  const fired = faults.filter(({ fired }) => fired !== undefined)
  const kinds = new Set(fired.map(({ kind }) => kind))
  const ended = Object.values(states).reduce((sum, count) => sum + count, 0)
  const problems = [
    ...violations.map(({ round, what, detail }) => `round ${round}: ${what}: ${detail}`),
    ...faults.flatMap(({ fired, kind, target, trouble }) =>
      fired ? [] : [`did not happen: ${kind} (${target}): ${trouble}`],
    ),
  ]
  if (fired.length < atLeast.faults) problems.push(`expected ${atLeast.faults} faults, got ${fired.length}`)
  if (kinds.size < atLeast.kinds) problems.push(`expected ${atLeast.kinds} kinds, got ${kinds.size}`)
  if (ended !== acknowledged) problems.push(`expected ${acknowledged} jobs to have ended, got ${ended}`)
  return problems.length > 0 ? [...problems, ...said] : []
}
