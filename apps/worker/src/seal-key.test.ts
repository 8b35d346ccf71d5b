import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { seal, unseal } from '@deblox/fleet/signing/seal'
import { readSealKey } from './seal-key'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deblox-seal-'))
})

afterEach(() => rm(folder, { recursive: true }))

const never = (error: unknown): never => {
  throw error
}

test('is made once for each host name, in a file that nobody else can read, and opens what is sealed to it', async () => {
  const first = await readSealKey(folder, 'dock-1', never)
  const again = await readSealKey(folder, 'dock-1', never)
  expect(again.public).toEqual(first.public)
  expect((await readSealKey(folder, 'dock-2', never)).public).not.toEqual(first.public)
  expect((await stat(join(folder, 'seal-key.dock-1.json'))).mode & 0o777).toBe(0o600)
  const meant = { jobId: 'a', slot: 1, dock: 'dock-1' }
  const sealed = await seal({ env: { A: 'b' } }, meant, first.public)
  await expect(unseal(sealed, meant, again.secret)).resolves.toEqual({ env: { A: 'b' } })
})

test('is the process’s own where the folder cannot keep it', async () => {
  const told: unknown[] = []
  const { public: key } = await readSealKey('/etc/hostname/deblox', 'dock-1', (error) => told.push(error))
  expect(key.crv).toBe('X25519')
  expect(told).toHaveLength(1)
})

test.each([
  ['is open to others', async (file: string) => chmod(file, 0o644)],
  ['holds something else', async (file: string) => writeFile(file, '{"kty":"OKP","crv":"X25519","d":"geheim"}')],
])('a file that %s ends the start in one line without its text', async (_, spoil) => {
  await readSealKey(folder, 'dock-1', never)
  await spoil(join(folder, 'seal-key.dock-1.json'))
  const told = await readSealKey(folder, 'dock-1', never).catch((error: Error) => error.message)
  expect(told).toMatch(/^DEBLOX_STATE_DIR: expected .*seal-key.dock-1.json.*$/)
  expect(told).not.toContain('geheim')
})
