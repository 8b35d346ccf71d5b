import { gzipSync } from 'node:zlib'
import { withPolicy } from '../support/dock-policy'
import { exchange, statuses } from '../support/exchange'
import { type Fleet, startFleet } from '../support/fleet'
import { expectNothingHeard, type Heard, listen } from './heard'

/** Bodies of which one who judges and one who acts could see different bytes. */

let fleet: Fleet
let heard: Heard

beforeAll(async () => {
  fleet = await startFleet({ docks: 1, env: withPolicy({ maxProfile: 'restricted' }) })
  heard = await listen(fleet)
}, 60_000)

afterAll(async () => {
  heard.stop()
  await fleet.stop()
}, 60_000)

const hostRoot = { Image: 'busybox', HostConfig: { Binds: ['/:/host'] } }

/** A request as bytes; what is not said otherwise is right. */
function bytes(body: string | Buffer, headers: Record<string, string> = {}, path = '/v1/containers/raw'): Buffer {
  const all = { Host: 'localhost', 'Content-Type': 'application/json', Connection: 'close', ...headers }
  if (!('Content-Length' in all) && !('Transfer-Encoding' in all)) {
    Object.assign(all, { 'Content-Length': String(Buffer.byteLength(body)) })
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.concat([Buffer.from(`POST ${path} HTTP/1.1\r\n${lines.join('')}\r\n`), Buffer.from(body)])
}

const asked = JSON.stringify({ body: hostRoot, start: true })
const chunk = (text: string, extension = ''): string =>
  `${Buffer.byteLength(text).toString(16)}${extension}\r\n${text}\r\n`
const chunked = { 'Transfer-Encoding': 'chunked' }

/** So much is read to its end before it is refused; of a longer body a server may cut the connection, in bytes. */
const readWhole = 2 ** 22

/** Every reply refuses: nothing is accepted, and nothing is put off. */
async function expectRefused(sent: Buffer): Promise<void> {
  const got = statuses(await exchange(fleet.api.port, sent))
  expect(got.length).toBeGreaterThanOrEqual(sent.length > readWhole ? 0 : 1)
  expect(got.filter((status) => status < 400)).toEqual([])
}

describe('CVE-2024-41110: the one who judged saw an empty body, the one who acted a full one', () => {
  const odd: [string, Buffer][] = [
    ['Content-Length: 0', bytes(asked, { 'Content-Length': '0' })],
    ['a body longer than its length', bytes(asked, { 'Content-Length': '2' })],
    ['two lengths', bytes(asked, { 'Content-Length': `0\r\nContent-Length: ${asked.length}` })],
    ['a list of lengths', bytes(asked, { 'Content-Length': `0, ${asked.length}` })],
    ['chunks', bytes(`${chunk(asked)}0\r\n\r\n`, chunked)],
    [
      'a chunk for each byte',
      bytes(
        `${Array.from(asked)
          .map((byte) => chunk(byte))
          .join('')}0\r\n\r\n`,
        chunked,
      ),
    ],
    ['chunks with extensions', bytes(`${chunk(asked, ';a="}"')}0\r\nX: y\r\n\r\n`, chunked)],
    ['chunks and a length', bytes(`${chunk(asked)}0\r\n\r\n`, { ...chunked, 'Content-Length': '0' })],
    ['chunks after an empty one', bytes(`0\r\n\r\n${chunk(asked)}0\r\n\r\n`, chunked)],
    ['chunks in another spelling', bytes(`${chunk(asked)}0\r\n\r\n`, { 'Transfer-Encoding': 'Chunked' })],
    ['chunks twice', bytes(`${chunk(asked)}0\r\n\r\n`, { 'Transfer-Encoding': 'chunked, chunked' })],
    ['no chunks but identity', bytes(asked, { 'Transfer-Encoding': 'identity' })],
    ['a compressed body', bytes(gzipSync(asked), { 'Content-Encoding': 'gzip' })],
    ['an expectation', bytes(asked, { Expect: '200-ok' })],
    ['another method by a header', bytes(asked, { 'X-HTTP-Method-Override': 'PUT' })],
    ['a form', bytes(`body=${encodeURIComponent(asked)}`, { 'Content-Type': 'application/x-www-form-urlencoded' })],
    ['UTF-16', bytes(Buffer.from(asked, 'utf16le'), { 'Content-Type': 'application/json; charset=utf-16' })],
    ['a byte order mark', bytes(`\ufeff${asked}`)],
    ['the body in the query', bytes('', {}, `/v1/containers/raw?body=${encodeURIComponent(JSON.stringify(hostRoot))}`)],
  ]

  test.each(odd)('%s', (_, sent) => expectRefused(sent))

  test('a body that ends before its length', async () => {
    const cut = bytes(asked, { 'Content-Length': '9999' })
    expect(statuses(await exchange(fleet.api.port, cut, { hangUp: true })).filter((status) => status < 400)).toEqual([])
  })

  test('and nothing of it has come to the engine', () => expectNothingHeard(heard))
})

describe('CVE-2026-34040: what lay beyond a megabyte was not judged, and acted upon', () => {
  const rest = JSON.stringify(hostRoot.HostConfig)
  const padded = (size: number): string =>
    `{"body":{"Image":"busybox","Env":["A=${'a'.repeat(size)}"],"HostConfig":${rest}},"start":true}`
  const sizes = [900_000, 2 ** 20 - 200, 2 ** 20, 2 ** 20 + 1, 2 ** 21, 2 ** 24]

  test.each(sizes)('a field behind %i bytes', (size) => expectRefused(bytes(padded(size))))

  test.each(sizes)('a field behind %i bytes, in chunks', (size) =>
    expectRefused(bytes(`${chunk(padded(size))}0\r\n\r\n`, chunked)),
  )

  test.each(sizes)('a field behind %i blanks', (size) =>
    expectRefused(bytes(`{"body":{"Image":"busybox",${' '.repeat(size)}"HostConfig":${rest}}}`)),
  )

  const twice = [
    `{"body":{"Image":"busybox","HostConfig":{},"HostConfig":${rest}}}`,
    `{"body":{"Image":"busybox","HostConfig":${rest},"HostConfig":{}}}`,
    `{"body":{"Image":"busybox"},"body":${JSON.stringify(hostRoot)}}`,
    `{"body":${JSON.stringify(hostRoot)},"body":{"Image":"busybox"}}`,
    '{"body":{"Image":"busybox","HostConfig":{"Binds":[],"Binds":["/:/host"]}}}',
    '{"body":{"Image":"busybox","HostConfig":{"Binds":["/:/host"],"Binds":[]}}}',
    '{"body":{"Image":"busybox","HostConfig":{"Privileged":false,"Priv\\u0069leged":true}}}',
    '{"body":{"Image":"busybox","HostConfig":{"Privileged":false,"privileged":true}}}',
    '{"body":{"Image":"busybox","HostConfig":{"Privileged":false,"Privile\\u0067ed":true}}}',
    '{"body":{"Image":"busybox","Host\\u0043onfig":{"Privileged":true}}}',
    '{"body":{"Image":"busybox","Ho\\u017ftConfig":{"Privileged":true}}}',
    '{"body":{"Image":"busybox","__proto__":{"HostConfig":{"Privileged":true}}}}',
    '{"body":{"Image":"busybox","constructor":{"prototype":{"HostConfig":{"Privileged":true}}}}}',
    `{"body":{"Image":"busybox"}}{"body":${JSON.stringify(hostRoot)}}`,
    `{"body":{"Image":"busybox"}}\n{"body":${JSON.stringify(hostRoot)}}`,
    `[{"body":${JSON.stringify(hostRoot)}}]`,
    `{"body":${JSON.stringify(JSON.stringify(hostRoot))}}`,
    '{"body":{"Image":"busybox",/*"*/"HostConfig":{"Privileged":true}/*"*/}}',
    '{"body":{"Image":"busybox","HostConfig":{"Privileged":true,}}}',
    "{'body':{'Image':'busybox','HostConfig':{'Privileged':true}}}",
    '{"body":{"Image":"busybox","HostConfig":{"Privileged":true}}}\0',
  ]

  test.each(twice.map((text) => [JSON.stringify(text), text]))('nor may two readers read two things in %s', (_, text) =>
    expectRefused(bytes(text)),
  )

  test('and nothing of it has come to the engine', () => expectNothingHeard(heard))
})

test('a harmless document is let in by each of the ways that are none of a trick', async () => {
  const harmless = JSON.stringify({ body: { Image: 'busybox' } })
  const ways = [
    bytes(harmless),
    bytes(`${chunk(harmless)}0\r\n\r\n`, chunked),
    bytes(
      `${Array.from(harmless)
        .map((byte) => chunk(byte))
        .join('')}0\r\n\r\n`,
      chunked,
    ),
    bytes(`{"body":{"Image":"busybox",${' '.repeat(900_000)}"HostConfig":{}}}`),
  ]
  for (const sent of ways) expect(await exchange(fleet.api.port, sent)).toMatch(/^HTTP\/1\.1 201 /)
})
