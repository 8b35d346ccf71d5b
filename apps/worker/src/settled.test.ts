import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { Settled } from './settled'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'settled-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const file = () => join(folder, 'settled.dock-1')
const open = () => Settled.open(folder, 'dock-1', pino({ level: 'silent' }))
const id = (n: number): string => n.toString(16).padStart(64, '0')

test('what was made here is known, also after a restart', async () => {
  const settled = await open()
  for (const n of [1, 2, 2]) settled.add(id(n))
  await settled.close()
  for (const one of [settled, await open()]) expect([1, 2, 3].map((n) => one.has(id(n)))).toEqual([true, true, false])
})

test('a line that a crash has cut short spoils nothing', async () => {
  const first = await open()
  first.add(id(1))
  await first.close()
  appendFileSync(file(), id(2).slice(0, 20))
  const second = await open()
  second.add(id(3))
  await second.close()
  expect((await open()).all()).toEqual([id(1), id(3)])
})

test('of what is gone nothing is kept, and the file does not grow for ever', async () => {
  const settled = await open()
  for (let n = 1; n <= 2_500; n++) {
    settled.add(id(n))
    settled.forget([id(n - 1)])
  }
  await settled.close()
  settled.add(id(9_999))
  await settled.close()
  expect(settled.all()).toEqual([id(2_500), id(9_999)])
  expect(readFileSync(file(), 'utf8').split('\n').length).toBeLessThan(10)
})

test('one that others could have written is refused at the start', async () => {
  writeFileSync(file(), `${id(1)}\n`, { mode: 0o666 })
  await expect(open()).rejects.toThrow(/^DEBLOX_STATE_DIR: expected a folder that keeps what was made here, got: /)
})
