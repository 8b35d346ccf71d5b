import { createSecretKey, randomBytes } from 'node:crypto'
import {
  type AuditLine,
  beginning,
  chain,
  isSigned,
  readLine,
  signCheckpoint,
  verifyAudit,
  writeLine,
} from './audit-chain'

const key = createSecretKey(randomBytes(32))
const other = createSecretKey(randomBytes(32))
const texts = ['{"at":"1","who":"anna"}', '{"at":"2","who":"\\u00e9\\"}"}', '{"at":"3","who":null}', '{"at":"4"}']

let lines: AuditLine[]

beforeEach(() => {
  lines = chain(key, beginning, texts)
})

const at = (n: number): AuditLine => lines[n] as AuditLine
const verify = (changed: AuditLine[], from?: string) => verifyAudit(changed, [key], from)

test('a chain as it was written verifies, and tells its head', async () => {
  expect(await verify(lines, beginning)).toEqual({ ok: true, count: 4, head: at(3).hash })
})

test('so does any part of it', async () => {
  expect(await verify(lines.slice(1, 3))).toEqual({ ok: true, count: 2, head: at(2).hash })
})

test('a chain goes on from where it ended', async () => {
  const more = chain(key, at(3).hash, ['{"at":"5"}'])
  expect(await verify([...lines, ...more])).toMatchObject({ ok: true, count: 5 })
})

test('its lines are JSON, and give the exact text back', async () => {
  const written = lines.map(writeLine)
  expect(JSON.parse(written[1] ?? '')).toEqual({ at: '2', who: 'é"}', prev: at(0).hash, hash: at(1).hash })
  expect(written.map(readLine)).toEqual(lines)
  expect(await verifyAudit(written, [key])).toMatchObject({ ok: true, count: 4 })
})

test('an entry cannot bring a hash of its own', () => {
  const [line] = chain(key, beginning, ['{"who":"a\\",\\"prev\\":\\"x\\",\\"hash\\":\\"y\\"}"}'])
  expect(readLine(writeLine(line as AuditLine))).toEqual(line)
})

test.each<[string, () => AuditLine[], number]>([
  ['an entry was changed', () => lines.with(1, { ...at(1), text: '{"at":"2","who":"eve"}' }), 2],
  ['an entry was taken out', () => [at(0), at(2), at(3)], 2],
  ['an entry was taken out, and the next made to follow', () => [at(0), { ...at(2), prev: at(0).hash }], 2],
  ['two were exchanged', () => [at(0), at(2), at(1), at(3)], 2],
  ['one came twice', () => [at(0), at(0), at(1)], 2],
  ['one was hashed with another key', () => [at(0), ...chain(other, at(0).hash, ['{"at":"2"}'])], 2],
  ['one was added at the end', () => [...lines, { text: '{}', prev: at(3).hash, hash: 'x' }], 5],
  ['the beginning was cut off', () => lines.slice(1), 1],
  ['it was written anew without the key', () => chain(other, beginning, texts), 1],
])('it is broken where %s', async (_, changed, line) => {
  expect(await verify(changed(), beginning)).toMatchObject({
    ok: false,
    line,
    why: expect.stringMatching(/^expected /),
  })
})

test('it is broken where a line is something else', async () => {
  const given = [writeLine(at(0)), '{"at":"2"}\n']
  expect(await verifyAudit(given, [key])).toMatchObject({ ok: false, line: 2 })
})

test('it verifies under any of the keys that are given', async () => {
  const rotated = [...lines, ...chain(other, at(3).hash, ['{"at":"5"}'])]
  expect(await verifyAudit(rotated, [other, key])).toMatchObject({ ok: true, count: 5 })
  expect(await verifyAudit(rotated, [other])).toMatchObject({ ok: false, line: 1 })
})

test('a checkpoint is believed only as it was signed', () => {
  const checkpoint = { hash: at(0).hash, count: 1 }
  const mac = signCheckpoint(key, checkpoint)
  expect(isSigned([other, key], checkpoint, mac)).toBe(true)
  expect(isSigned([other], checkpoint, mac)).toBe(false)
  expect(isSigned([key], { ...checkpoint, count: 2 }, mac)).toBe(false)
  expect(isSigned([key], { ...checkpoint, hash: at(1).hash }, mac)).toBe(false)
})
