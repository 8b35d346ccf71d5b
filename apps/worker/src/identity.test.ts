import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readIdentity } from './identity'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deblox-identity-'))
})

afterEach(() => rm(folder, { recursive: true }))

test('is made once, in a folder that is made too, and is the same ever after', async () => {
  const state = join(folder, 'state', 'deblox')
  const first = await readIdentity(state, 'dock-1')
  expect(first).toMatch(/^[0-9a-f-]{36}$/)
  await expect(readIdentity(state, 'dock-1')).resolves.toBe(first)
})

test('is one for each host name, in a file that nobody else can read, and nothing else is left', async () => {
  const [one, two] = [await readIdentity(folder, 'dock-1'), await readIdentity(folder, 'dock-2.example.com')]
  expect(one).not.toBe(two)
  expect((await readdir(folder)).sort()).toEqual(['dock-id.dock-1', 'dock-id.dock-2.example.com'])
  expect((await stat(join(folder, 'dock-id.dock-1'))).mode & 0o777).toBe(0o600)
})

test('is one, also where many make it at once', async () => {
  for (let round = 0; round < 40; round++) {
    const name = `dock-${round}`
    const ids = await Promise.all(Array.from({ length: 20 }, () => readIdentity(folder, name)))
    expect(new Set(ids)).toEqual(new Set([(await readFile(join(folder, `dock-id.${name}`), 'utf8')).trim()]))
  }
  expect(await readdir(folder)).toHaveLength(40)
})

test.each([
  ['lies below a file', '/etc/hostname/deblox', /ENOTDIR/],
  ['is a file', '/etc/hostname', /ENOTDIR/],
])('a folder that %s is told of in one line that names the variable', async (_, bad, why) => {
  const told = readIdentity(bad, 'dock-1')
  await expect(told).rejects.toThrow(/^DEBLOX_STATE_DIR: expected a folder that keeps this dock's identity, got .*$/)
  await expect(told).rejects.toThrow(why)
})

test.each(['', '42', '../dock-2', '"x"'])('a file that holds %j is told of and left alone', async (text) => {
  const file = join(folder, 'dock-id.dock-1')
  await writeFile(file, text)
  await expect(readIdentity(folder, 'dock-1')).rejects.toThrow(`something else than a UUID in ${file}`)
  await expect(readFile(file, 'utf8')).resolves.toBe(text)
})
