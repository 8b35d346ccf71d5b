import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Owners } from './owners'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'owners-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const open = () => Owners.open(folder, 'dock-1')
const id = 'ab'.repeat(32)

async function labelsOf(owners: Owners, more: Record<string, string> = {}): Promise<Record<string, string>> {
  const proof = owners.proof('anna', 'job-1', 1)
  return { 'deblox.owner': 'anna', 'deblox.job': 'job-1', 'deblox.slot': '1', 'deblox.sig': proof, ...more }
}

test('a label with its proof is believed, also after a restart', async () => {
  const labels = await labelsOf(await open())
  expect((await open()).ownerOf(id, labels)).toBe('anna')
})

test.each([
  ['has no proof', { 'deblox.sig': '' }],
  ['names another owner', { 'deblox.owner': 'ben' }],
  ['was made for another job', { 'deblox.job': 'job-2' }],
  ['was made for another slot', { 'deblox.slot': '2' }],
  ['has a proof that is cut short', { 'deblox.sig': 'AAAA' }],
])('one that %s is not', async (_, more) => {
  const owners = await open()
  expect(owners.ownerOf(id, await labelsOf(owners, more))).toBeNull()
})

test('one of another dock is not, nor one without labels', async () => {
  const owners = await open()
  expect(owners.ownerOf(id, await labelsOf(await Owners.open(folder, 'dock-2')))).toBeNull()
  expect(owners.ownerOf(id, {})).toBeNull()
})

test('who was given a container has it, whatever its labels say, also after a restart', async () => {
  const owners = await open()
  await owners.give(id, 'team:ops')
  for (const one of [owners, await open()]) expect(one.ownerOf(id, await labelsOf(one))).toBe('team:ops')
})

test('all that are given at the same moment are given', async () => {
  const owners = await open()
  const ids = Array.from({ length: 12 }, (_, n) => n.toString(16).repeat(64))
  await Promise.all([...ids.map((one) => owners.give(one, 'dora')), owners.forget(['ff'.repeat(32)])])
  for (const one of [owners, await open()])
    expect(ids.map((each) => one.ownerOf(each, {}))).toEqual(ids.map(() => 'dora'))
})

test('of a container that is gone nothing is kept', async () => {
  const owners = await open()
  await owners.give(id, 'ben')
  await owners.give('cd'.repeat(32), 'ben')
  expect(owners.givenAway()).toHaveLength(2)
  await owners.forget(['cd'.repeat(32)])
  expect(JSON.parse(readFileSync(join(folder, 'owners.dock-1.json'), 'utf8'))).toEqual({ [id]: 'ben' })
})

test('its files are its owner’s alone', async () => {
  await (await open()).give(id, 'ben')
  const files = readdirSync(folder)
  expect(files).toHaveLength(2)
  for (const file of files) expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600)
})

test.each([
  ['owner-key.dock-1', 'short'],
  ['owners.dock-1.json', '{"x":1}'],
  ['owners.dock-1.json', 'not JSON'],
])('it does not open with something else in %s', async (file, text) => {
  await open()
  writeFileSync(join(folder, file), text)
  chmodSync(join(folder, file), 0o600)
  await expect(open()).rejects.toThrow(/^DEBLOX_STATE_DIR: expected a folder that keeps .* got something else$/)
})
