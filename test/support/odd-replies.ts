import type { Socket } from 'node:net'
import type { Chance } from './chance'
import type { Odd } from './fake-daemon'

/** One odd way to answer, and whether the daemon acts before it. */
export interface OddReply {
  what: string
  odd: Odd
}

const json = 'Content-Type: application/json\r\n'
const head = (status: string, headers = ''): string => `HTTP/1.1 ${status}\r\n${headers}Connection: close\r\n`

/** A whole answer with a body as it is. */
function whole(status: string, body: string | Buffer, headers = json): Odd {
  return (socket) => {
    const bytes = Buffer.from(body)
    socket.write(`${head(status, headers)}Content-Length: ${bytes.length}\r\n\r\n`)
    socket.end(bytes)
  }
}

/** Writes what `next` gives until the other side has gone, as fast as it is taken. */
function endless(socket: Socket, next: () => string | Buffer): void {
  const go = (): void => {
    while (!socket.destroyed && socket.write(next()));
  }
  socket.on('drain', go)
  go()
}

const id = 'f'.repeat(64)
const big = (bytes: number): Buffer => Buffer.alloc(bytes, 0x61)
const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)

/** Bodies that are JSON, or nearly, and not what was asked for. */
const bodies: readonly (string | Buffer)[] = [
  '',
  '\n',
  'null',
  'true',
  '0',
  '-1e999',
  '""',
  '"OK"',
  'OK',
  '{}',
  '[]',
  '[null]',
  '[[]]',
  '[{}]',
  '[1,"x",null]',
  '{',
  '[',
  '[{"Id":',
  `[{"Id":"${id}"},`,
  '<html>nope</html>',
  '{"Id":5}',
  '{"Id":""}',
  '{"Id":"x/../../info"}',
  '{"Id":"json?all=1#"}',
  `{"Id":"${id}"}`,
  `{"Id":"${id}","State":null,"Config":null}`,
  `{"Id":"${id}","State":{"Status":7},"Config":{"Labels":[]}}`,
  `{"Id":"${id}","Warnings":"x"}`,
  '{"message":{"toString":"x"}}',
  '{"message":null}',
  '{"error":["x"]}',
  '{"__proto__":{"Id":"x"}}',
  '{"constructor":{"prototype":{"Id":1}}}',
  `[{"Id":"${id}","Names":"x","Labels":5,"Created":"soon"}]`,
  `[{"Id":"${id}","Names":[null,5,"/a b"],"Image":{},"State":[],"Status":null,"Labels":null,"Created":1e300}]`,
  `[{"Id":"${id}","Names":["/\\ud800"],"Labels":{"\\ud800":"\\udfff"},"Created":-1}]`,
  `[{"Id":"${id}"},{"Id":"${id}"}]`,
  '[{"Id":"../../info"}]',
  '[{"Names":["/web"]}]',
  '{"ApiVersion":5,"Version":null}',
  nested(100_000),
  Buffer.from([0xff, 0xfe, 0x7b, 0x7d]),
  Buffer.from([0x5b, 0x22, 0xc3, 0x28, 0x22, 0x5d]),
  Buffer.alloc(4096),
]

const statuses = [
  '200 OK',
  '201 Created',
  '204 No Content',
  '304 Not Modified',
  '200',
  '400 Bad',
  '404 No',
  '409 Taken',
]
const oddStatuses = [
  '202 Soon',
  '206 Part',
  '299 Odd',
  '300 Many',
  '301 Moved',
  '418 Tea',
  '451 No',
  '500 Oh',
  '503 Busy',
]
const brokenStatuses = ['000 Nothing', '99 Low', '600 High', '999 Higher', '20O OK', '', 'OK', '-1 x', '12345 x']

const headers = [
  json,
  '',
  'Content-Type: text/html\r\n',
  'Content-Type: application/json; charset=utf-7\r\n',
  'Content-Type: \r\n',
  'Content-Encoding: gzip\r\n',
  'Location: http://127.0.0.1:1/\r\n',
  'Location: weird://x\r\n',
  'Location: http://[bad\r\n',
  'X: \u0001\r\n',
  'Content-Length: 5\r\nContent-Length: 7\r\n',
  'Content-Length: -1\r\n',
  'Content-Length: 99999999999999999999\r\n',
  'Transfer-Encoding: gzip, chunked\r\n',
  'Set-Cookie: a\r\nSet-Cookie: b\r\n',
]

/** Connections that misbehave, whatever the body. */
const connections: readonly OddReply[] = [
  { what: 'closed before anything', odd: (socket) => void socket.destroy() },
  { what: 'half a status line', odd: (socket) => void socket.end('HTTP/1.1 2') },
  { what: 'no HTTP', odd: (socket) => void socket.end('220 mail.example ESMTP\r\n') },
  { what: 'zeros', odd: (socket) => void socket.end(Buffer.alloc(1000)) },
  { what: 'half the headers', odd: (socket) => void socket.end('HTTP/1.1 200 OK\r\nContent-Le') },
  { what: 'reset after the headers', odd: cut(head('200 OK', json) + 'Content-Length: 100\r\n\r\n') },
  { what: 'reset within the body', odd: cut(head('200 OK', json) + 'Content-Length: 100\r\n\r\n[{"Id"') },
  { what: 'ended within the body', odd: end(head('200 OK', json) + 'Content-Length: 100\r\n\r\n[]') },
  { what: 'reset within a failure', odd: cut(head('500 Oh', json) + 'Content-Length: 100\r\n\r\n{"mess') },
  { what: 'reset within a chunk', odd: cut(head('200 OK', json) + 'Transfer-Encoding: chunked\r\n\r\nff\r\n[{') },
  {
    what: 'a chunk of no size',
    odd: end(head('200 OK', json) + 'Transfer-Encoding: chunked\r\n\r\nzz\r\n[]\r\n0\r\n\r\n'),
  },
  { what: 'a huge chunk', odd: end(head('200 OK') + 'Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n') },
  {
    what: 'another protocol',
    odd: end('HTTP/1.1 101 Switching Protocols\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\nhello'),
  },
  { what: 'HTTP/1.0 without a length', odd: end('HTTP/1.0 200 OK\r\n\r\n[]') },
  { what: 'HTTP/0.9', odd: end('[]') },
  { what: 'HTTP/3', odd: end('HTTP/3.0 200 OK\r\n\r\n[]') },
  { what: 'an answer and more', odd: end(`${head('204 No Content')}\r\nHTTP/1.1 200 OK\r\n\r\n`) },
  { what: 'a continue and an end', odd: end('HTTP/1.1 100 Continue\r\n\r\n') },
  { what: 'large headers', odd: end(`${head('200 OK', `X: ${'a'.repeat(100_000)}\r\n`)}\r\n`) },
  { what: 'many headers', odd: end(`${head('200 OK', 'X-A: 1\r\n'.repeat(5_000))}\r\n`) },
]

function cut(bytes: string): Odd {
  return (socket) => void socket.write(bytes, () => socket.destroy())
}

function end(bytes: string): Odd {
  return (socket) => void socket.end(bytes)
}

/** Answers without an end: only somebody who gives up ends them. */
export const endlessReplies: readonly OddReply[] = [
  { what: 'endless headers', odd: (socket) => endless(socket, start(head('200 OK'), 'X-A: b\r\n')) },
  { what: 'endless JSON', odd: (socket) => endless(socket, start(`${head('200 OK', json)}\r\n[`, big(65_536))) },
  {
    what: 'endless chunks',
    odd: (socket) =>
      endless(
        socket,
        start(`${head('200 OK', json)}Transfer-Encoding: chunked\r\n\r\n`, '5\r\n[1,2,\r\n'.repeat(1000)),
      ),
  },
  {
    what: 'an endless failure',
    odd: (socket) => endless(socket, start(`${head('500 Oh', json)}\r\n{"message":"`, big(65_536))),
  },
]

/** JSON of a given size, written as fast as it is read. */
export function large(bytes: number): Odd {
  const row = JSON.stringify({
    Id: id,
    Names: ['/web'],
    Image: 'busybox',
    State: 'running',
    Labels: { a: 'b'.repeat(400) },
  })
  return (socket) => {
    const rows = Math.ceil(bytes / (row.length + 1))
    let left = rows
    endless(socket, () => {
      if (left === rows) socket.write(`${head('200 OK', json)}\r\n[`)
      if (left <= 0) return void socket.end() as never
      left -= 1000
      return `${row},`.repeat(1000)
    })
  }
}

/** First one thing, then another again and again. */
function start(first: string, then: string | Buffer): () => string | Buffer {
  let begun = false
  return () => {
    if (begun) return then
    begun = true
    return first
  }
}

/** The daemon does what it was asked, and then answers that it could not, or cuts its answer off. */
export const actsAndFails: readonly OddReply[] = [
  { what: 'acts, then 500', odd: afterActing(whole('500 Oh', '{"message":"it broke"}')) },
  { what: 'acts, then resets', odd: afterActing((socket) => void socket.destroy()) },
  {
    what: 'acts, then half an answer',
    odd: afterActing(cut(head('201 Created', json) + 'Content-Length: 99\r\n\r\n{"Id"')),
  },
  { what: 'acts, then nonsense', odd: afterActing(whole('201 Created', '{"Id":null}')) },
]

function afterActing(odd: Odd): Odd {
  return (socket, asked, sane) => {
    sane()
    odd(socket, asked, sane)
  }
}

/** Any odd reply that has an end. */
export function oddReply(chance: Chance): OddReply {
  if (chance.happens(0.25)) return chance.one(connections)
  const status = chance.one(chance.one([statuses, statuses, oddStatuses, brokenStatuses]))
  const body = chance.one(bodies)
  const header = chance.happens(0.5) ? json : chance.one(headers)
  const what = `${status} ${JSON.stringify(header)} ${body.toString().slice(0, 80)}`
  return { what, odd: whole(status, body, header) }
}
