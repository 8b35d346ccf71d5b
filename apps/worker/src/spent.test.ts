import { appendFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SlotOutcome } from '@deblox/fleet/job'
import { pino } from 'pino'
import { Spent } from './spent'

let folder: string
let now: number
let warnings: number
const spents: Spent[] = []
const log = pino({ level: 'warn' }, { write: () => void warnings++ })

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deblox-spent-'))
  now = 1_000_000
  warnings = 0
})

afterEach(async () => {
  await Promise.all(spents.splice(0).map((one) => one.close()))
  await rm(folder, { recursive: true })
})

const file = () => join(folder, 'spent.dock-1')

async function open(inFolder = folder): Promise<Spent> {
  const spent = await Spent.open(inFolder, 'dock-1', () => now, log)
  spents.push(spent)
  return spent
}

const outcome = (message = ''): SlotOutcome => ({
  slot: 1,
  state: 'failed',
  dock: 'dock-1',
  attempts: 1,
  startedAt: 1,
  finishedAt: 2,
  result: null,
  error: { code: 'docker_error', status: 500, message },
})

const day = 86_400_000

test('what has ended is known, and how, also to the next worker without the first one’s having stopped', async () => {
  const one = await open()
  for (let slot = 1; slot <= 50; slot++) one.add(`job.${slot}`, now + day, outcome(String(slot)))
  expect([one.has('job.7'), one.has('job.51')]).toEqual([true, false])
  await one.close()
  const two = await open()
  expect(Array.from({ length: 51 }, (_, n) => two.has(`job.${n + 1}`)).filter(Boolean)).toHaveLength(50)
  expect(two.outcome('job.7')).toEqual(outcome('7'))
  expect((await stat(file())).mode & 0o777).toBe(0o600)
})

test('a line that a crash cut short, or that is none, spoils neither those before it nor those after it', async () => {
  const one = await open()
  one.add('a.1', now + day, outcome())
  await one.close()
  await appendFile(file(), 'rubbish\n["b.1",')
  const two = await open()
  two.add('c.1', now + day, outcome())
  await two.close()
  const three = await open()
  expect(['a.1', 'b.1', 'c.1'].map((id) => three.has(id))).toEqual([true, false, true])
})

test('it is forgotten when its job could not be begun any more, and its time goes by Redis’s clock', async () => {
  const one = await open()
  one.add('short.1', now + 60_000, outcome())
  one.add('long.1', now + day, outcome())
  now += 3_600_000
  one.add('next.1', now + day, outcome())
  expect(['short.1', 'long.1', 'next.1'].map((id) => one.has(id))).toEqual([false, true, true])
  expect(one.outcome('short.1')).toBeUndefined()
})

test('nothing is forgotten at the start, when this machine’s date may be wrong', async () => {
  const one = await open()
  one.add('a.1', now + day, outcome())
  await one.close()
  now += 100 * day
  expect((await open()).has('a.1')).toBe(true)
})

test('an outcome that is long is not kept, nor are many, but that they have ended is', async () => {
  const one = await open()
  one.add('long.1', now + day, outcome('x'.repeat(3_000)))
  for (let slot = 1; slot <= 1_001; slot++) one.add(`job.${slot}`, now + day, outcome())
  expect(['long.1', 'job.1', 'job.2'].map((id) => [one.has(id), one.outcome(id) !== undefined])).toEqual([
    [true, false],
    [true, false],
    [true, true],
  ])
})

test('the file does not grow for ever: what is forgotten leaves it', async () => {
  const one = await open()
  for (let n = 0; n < 12_000; n++) one.add(`old.${n}`, now + 60_000, outcome())
  now += 3_600_000
  one.add('new.1', now + day, outcome())
  await one.close()
  expect((await readFile(file(), 'utf8')).trim().split('\n')).toHaveLength(1)
  const two = await open()
  expect([two.has('old.1'), two.has('new.1')]).toEqual([false, true])
})

test('where the folder keeps nothing it is remembered all the same, and told once', async () => {
  await writeFile(join(folder, 'a file'), '')
  const one = await open(join(folder, 'a file', 'below'))
  one.add('a.1', now + day, outcome())
  await one.close()
  one.add('b.1', now + day, outcome())
  expect([one.has('a.1'), one.has('b.1'), warnings]).toEqual([true, true, 1])
})
