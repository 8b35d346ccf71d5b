import fc from 'fast-check'
import { outcomeOf } from './testing/schedules/outcome'
import { protocol, wrongWays } from './testing/schedules/protocol'
import { known } from './testing/schedules/known'
import { kinds, type Step } from './testing/schedules/steps'
const step = fc.record({ kind: fc.constantFrom(...kinds), dock: fc.nat(2), which: fc.nat(11) })
const short = (s: Step[]) => s.map(({ kind, dock, which }) => `${kind} ${dock} ${which}`).join(', ')
const examples = Object.values(known).map((steps): [number, Step[]] => [2, steps])
test.each(Object.keys(wrongWays))('%s', (name) => {
  let best: [number, Step[]] | null = null, bestV = ''
  for (let seed = 1; seed < 6; seed++) {
  const r = fc.check(fc.property(fc.integer({ min: 2, max: 3 }), fc.array(step, { maxLength: 120, size: 'max' }), (d, s) => {
    const w = outcomeOf({ ...protocol, ...wrongWays[name] }, d, s)
    if (w.violations.length) throw new Error(w.violations[0])
  }), { numRuns: 40_000, seed, interruptAfterTimeLimit: 8_000, examples: seed === 1 ? examples : [] })
  if (r.counterexample && (!best || r.counterexample[1].length < best[1].length)) { best = r.counterexample; bestV = String(r.errorInstance) }
  }
  process.stderr.write(`\n## ${name}\n${best ? best[0] + ' docks: ' + short(best[1]) : 'none'}\n${bestV}\n`)
}, 200_000)
