import { createHash, randomBytes } from 'node:crypto'
import { readdir, readlink } from 'node:fs/promises'
import { compareChangeIds } from '@deblox/fleet/changes'
import type { Api } from '../support/api'
import { eventually } from '../support/eventually'
import { type Fleet, startFleet } from '../support/fleet'
import { Listener } from '../support/listener'
import { type RedisServer, startRedis } from '../support/redis'
import { Events } from '../support/sse'
import { TerminalClient } from '../support/terminal-client'
import { create, inspect, type Made } from './containers'

let redis: RedisServer
let fleet: Fleet
let box: Made

beforeAll(async () => {
  redis = await startRedis()
  fleet = await startFleet({ docks: 1, apis: 2, redisUrl: redis.url })
  box = await create(fleet, { name: 'box', cmd: ['sleep', '3600'], start: true })
}, 60_000)

afterAll(async () => {
  await fleet.stop()
  await redis.remove()
}, 60_000)

const terminal = (query: string, { id } = box, api = fleet.api) =>
  TerminalClient.open(`${api.url}/v1/containers/${id}/exec?${query}`)

const command = (...cmd: string[]): string => cmd.map((part) => `cmd=${encodeURIComponent(part)}`).join('&')

const listen = (path: string, headers: Record<string, string> = {}, api = fleet.api) =>
  Listener.open(`${api.url}${path}`, headers)

const events = (api: Api, headers: Record<string, string> = {}) =>
  Events.open(`${api.url}/v1/events?kind=container`, headers)

/** How many connections the worker has to its daemon for something that lasts: its sockets, but for those of Redis. */
async function openSockets(): Promise<number> {
  const folder = `/proc/${fleet.dock('dock1').worker.pid}/fd`
  const links = await Promise.all((await readdir(folder)).map((fd) => readlink(`${folder}/${fd}`).catch(() => '')))
  return links.filter((link) => link.startsWith('socket:')).length
}

/** How many processes run in a container, by the engine's own word. */
async function processes({ id, dock }: Made): Promise<number> {
  const { Processes } = await fleet.dock(dock).engine.docker.getContainer(id).top()
  return (Processes as unknown[]).length
}

test('16 MB of any bytes go into a command and come out of it as they were', async () => {
  const sent = randomBytes(16 * 2 ** 20)
  const cat = await terminal(`${command('cat')}&stdin=true`)
  for (let at = 0; at < sent.length; at += 2 ** 18) await cat.type(sent.subarray(at, at + 2 ** 18))
  await cat.endInput()
  expect(await cat.closed).toBe(1000)
  expect(cat.status).toEqual({ exitCode: 0 })
  const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
  expect(cat.output().length).toBe(sent.length)
  expect(digest(cat.output())).toBe(digest(sent))
}, 30_000)

test('a terminal has a size, is typed into, and tells how its command ended', async () => {
  const shell = await terminal(`${command('sh')}&tty=true&stdin=true&cols=100&rows=40`)
  await shell.type('stty size\n')
  await shell.sees('40 100')
  await shell.resize(123, 45)
  await shell.type('stty size\n')
  await shell.sees('45 123')
  await shell.type('exit 7\n')
  await shell.closed
  expect(shell.status).toEqual({ exitCode: 7 })
})

test('a command without a terminal is answered with what it said', async () => {
  const body = { cmd: ['sh', '-c', 'echo out; echo err >&2; cat; exit 3'], stdin: 'in' }
  const answer = await fleet.request(fleet.api, 'POST', `/v1/containers/${box.id}/exec`, body)
  expect(answer).toMatchObject({ status: 200, body: { exitCode: 3, stdout: 'out\nin', stderr: 'err\n' } })
})

test('lines of a megabyte, empty lines and cut characters come as they were logged', async () => {
  const script =
    'printf "begin\\n\\n\\n"; head -c 1048576 /dev/zero | tr "\\0" x; echo; for n in 1 2 3; do echo "ä€😀 $n" >&2; done'
  const { id } = await create(fleet, { cmd: ['sh', '-c', script], start: true })
  await eventually(async () => (await inspect(fleet, { id, dock: 'dock1' })).State.Status === 'exited')
  const log = await listen(`/v1/containers/${id}/logs?stderr=false`)
  await log.ends()
  expect(log.text).toBe(`begin\n\n\n${'x'.repeat(2 ** 20)}\n`)
  const errors = await listen(`/v1/containers/${id}/logs?stdout=false`, { accept: 'application/x-ndjson' })
  await errors.ends()
  expect(errors.lines.map((line) => JSON.parse(line) as object)).toMatchObject(
    [1, 2, 3].map((n) => ({ stream: 'stderr', line: `ä€😀 ${n}` })),
  )
})

test('a log is followed across a restart, every line once', async () => {
  const script = 'n=0; while [ $n -lt 5 ]; do echo "$(cat /proc/sys/kernel/random/uuid)"; n=$((n+1)); done; sleep 3600'
  const { id } = await create(fleet, { cmd: ['sh', '-c', script], start: true })
  const log = await listen(`/v1/containers/${id}/logs?follow=true`, {}, fleet.apiNumber(2))
  await eventually(() => log.lines.length === 5)
  await fleet.request(fleet.api, 'POST', `/v1/containers/${id}/restart`, { timeout: 0 })
  await eventually(() => log.lines.length === 10)
  await fleet.request(fleet.api, 'DELETE', `/v1/containers/${id}?force=true`)
  await log.ends()
  expect(new Set(log.lines).size).toBe(10)
  expect(log.lines).toHaveLength(10)
}, 20_000)

test('what a caller leaves behind is closed on the dock within 5 s', async () => {
  const before = await openSockets()
  const log = await listen(`/v1/containers/${box.id}/logs?follow=true`)
  const stats = await listen(`/v1/containers/${box.id}/stats?live=true`)
  const shell = await terminal(`${command('sh')}&tty=true&stdin=true`)
  await shell.type('echo here\n')
  await shell.sees('here')
  await eventually(async () => (await openSockets()) >= before + 3)
  expect([log.over, stats.over]).toEqual([false, false])
  log.leave()
  stats.leave()
  shell.vanish()
  await eventually(async () => (await openSockets()) <= before, undefined, { within: 5_000 })
  await eventually(async () => (await processes(box)) === 1, undefined, { what: 'the shell has ended' })
}, 20_000)

test('an API replica that is killed leaves nothing behind on the dock, and nothing else suffers', async () => {
  const before = await openSockets()
  const dying = fleet.apiNumber(2)
  const other = await listen(`/v1/containers/${box.id}/stats?live=true`)
  const shell = await terminal(`${command('sh')}&tty=true&stdin=true`, box, dying)
  const log = await listen(`/v1/containers/${box.id}/logs?follow=true`, {}, dying)
  await shell.type('echo here\n')
  await shell.sees('here')
  const first = await events(dying)
  const { id } = await create(fleet, { name: 'seen-before' })
  await first.next(({ data }) => data.id === id)

  await dying.process.kill()
  await log.ends()
  expect(await first.over).not.toBe('end')
  await eventually(async () => (await openSockets()) <= before + 1, undefined, { within: 10_000 })
  await eventually(async () => (await processes(box)) === 1, undefined, { what: 'the shell has ended' })
  expect(other.over).toBe(false)
  other.leave()

  const later = await create(fleet, { name: 'seen-after' })
  const again = await events(fleet.api, { 'last-event-id': first.heard.at(-1)?.id ?? '' })
  await again.next(({ data }) => data.id === later.id)
  const ids = [...first.heard, ...again.heard].map((event) => event.id)
  expect(new Set(ids).size).toBe(ids.length)
  expect(ids).toEqual(ids.toSorted((one = '', other = '') => compareChangeIds(one, other)))
  again.leave()
  dying.launch()
  await dying.ready()
}, 40_000)

test('open streams outlive a Redis that is killed and comes back, or say that they broke off', async () => {
  const { id } = await create(fleet, {
    cmd: ['sh', '-c', 'n=0; while :; do n=$((n+1)); echo "line $n"; sleep 0.05; done'],
    start: true,
  })
  const log = await listen(`/v1/containers/${id}/logs?follow=true`, { accept: 'application/x-ndjson' })
  const open = await events(fleet.api)
  await log.sees('line 10')
  await redis.kill()
  await redis.start()
  await fleet.api.ready()
  await fleet.docksReady()
  const told = () => log.lines.flatMap((line) => (JSON.parse(line) as { line?: string }).line ?? [])
  const before = told().length
  await eventually(() => log.over || told().length > before + 20, undefined, { within: 20_000 })
  const expected = told().map((_, n) => `line ${n + 1}`)
  expect(told()).toEqual(expected)
  expect(log.over ? log.text : 'stream_broken').toContain('stream_broken')
  const later = await create(fleet, { name: 'after-redis' })
  await open.next(({ data }) => data.id === later.id, 20_000)
  log.leave()
  open.leave()
  await fleet.request(fleet.api, 'DELETE', `/v1/containers/${id}?force=true`)
}, 60_000)

test('what has no lease is not asked', async () => {
  const { worker } = fleet.dock('dock1')
  await worker.kill()
  const stale = async () => {
    const { body } = await fleet.request(fleet.api, 'GET', '/v1/containers')
    return (body.items as { stale: boolean }[]).every((row) => row.stale)
  }
  await eventually(stale, undefined, { within: 15_000 })
  const began = performance.now()
  const answers = await Promise.all(
    ['', '/logs', '/stats', '/top', '/changes'].map((path) =>
      fleet.request(fleet.api, 'GET', `/v1/containers/${box.id}${path}`),
    ),
  )
  expect(answers.map(({ status, body }) => [status, body.code])).toEqual(answers.map(() => [503, 'dock_unreachable']))
  expect(performance.now() - began).toBeLessThan(1_000)
  fleet.dock('dock1').launch()
  await fleet.docksReady()
  expect((await fleet.request(fleet.api, 'GET', `/v1/containers/${box.id}`)).status).toBe(200)
}, 40_000)

test('a worker that is stopped hangs up what was run through it', async () => {
  const shell = await terminal(command('sleep', '3599'))
  await eventually(async () => (await processes(box)) === 2)
  const dock = fleet.dock('dock1')
  await dock.worker.stop()
  await eventually(async () => (await processes(box)) === 1)
  expect(await shell.closed).toBe(4502)
  dock.launch()
  await fleet.docksReady()
}, 30_000)
