import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { eventually } from '../support/eventually'
import { type Fleet, startFleet } from '../support/fleet'
import { curl } from '../support/http'
import { Listener } from '../support/listener'
import { Events } from '../support/sse'
import { TerminalClient } from '../support/terminal-client'
import { create, type Made } from './containers'

const run = promisify(execFile)

let fleet: Fleet
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'files-'))
  fleet = await startFleet({ docks: 2, apis: 2 })
}, 60_000)

afterAll(async () => {
  await fleet.stop()
  await rm(folder, { recursive: true })
}, 60_000)

const sh = (script: string) => ({ cmd: ['sh', '-c', script], init: true, start: true })

const at = ({ id }: Pick<Made, 'id'>, path: string, api = fleet.api) => `${api.url}/v1/containers/${id}/${path}`

test('files go in and come out as they were, and export has them', async () => {
  const box = await create(fleet, sh('sleep 3600'))
  const bytes = randomBytes(8 * 2 ** 20)
  await writeFile(join(folder, 'some bytes'), bytes)
  await run('tar', ['-C', folder, '-cf', join(folder, 'in.tar'), 'some bytes'])
  const put = await curl(['-sS', '-w', '%{http_code}', '-T', join(folder, 'in.tar'), at(box, 'archive?path=/tmp')])
  expect(put).toMatchObject({ exitCode: 0, stdout: '204' })
  const path = encodeURIComponent('/tmp/some bytes')
  const got = await curl(['-sS', '-D', '-', '-o', join(folder, 'out.tar'), at(box, `archive?path=${path}`)])
  const [, stat = ''] = /x-docker-container-path-stat: (\S+)/i.exec(got.stdout) ?? []
  expect(JSON.parse(Buffer.from(stat, 'base64').toString())).toMatchObject({ name: 'some bytes', size: bytes.length })
  await run('tar', ['-C', folder, '--transform', 's/$/.back/', '-xf', join(folder, 'out.tar')])
  expect((await readFile(join(folder, 'some bytes.back'))).equals(bytes)).toBe(true)
  await curl(['-sS', '-o', join(folder, 'all.tar'), at(box, 'export')])
  const { stdout } = await run('tar', ['-tf', join(folder, 'all.tar')])
  expect(stdout.split('\n')).toContain('tmp/some bytes')

  for (const [method, query, body] of [
    ['GET', 'archive?path=/nowhere', undefined],
    ['PUT', 'archive?path=/nowhere', 'x'.repeat(500_000)],
  ] as const) {
    const answer = await fleet.request(fleet.api, method, `/v1/containers/${box.id}/${query}`, body)
    expect(answer).toMatchObject({ status: 404, body: { code: 'docker_error' } })
  }
}, 30_000)

test('an end is waited for, and what is used is read', async () => {
  const short = await create(fleet, sh('read line; exit 5'))
  const waiting = fleet.request(fleet.api, 'GET', `/v1/containers/${short.id}/wait`, undefined, { prefer: 'wait=20' })
  const early = await fleet.request(fleet.api, 'GET', `/v1/containers/${short.id}/wait`, undefined, {
    prefer: 'wait=0',
  })
  expect(early).toMatchObject({ status: 202, body: { exitCode: null } })
  expect(await waiting).toMatchObject({ status: 200, body: { exitCode: 5 } })

  const idle = await create(fleet, sh('sleep 3600'))
  const { status, body } = await fleet.request(fleet.api, 'GET', `/v1/containers/${idle.id}/stats`)
  expect({ status, body }).toMatchObject({ status: 200, body: { id: idle.id, precpu_stats: expect.anything() } })
  const live = await Listener.open(at(idle, 'stats?live=true'))
  await eventually(() => live.lines.length >= 2)
  for (const line of live.lines) expect(JSON.parse(line)).toMatchObject({ id: idle.id, memory_stats: {} })
  live.leave()
  await fleet.request(fleet.api, 'DELETE', `/v1/containers/${idle.id}?force=true`)
}, 30_000)

test('logs of several docks are one, with those that come later, and a template chooses', async () => {
  const spec = { image: 'busybox', cmd: ['sh', '-c', 'echo "$NAME begins"; while read line; do :; done; sleep 3600'] }
  await fleet.request(fleet.api, 'PUT', '/v1/templates/talker', spec)
  const talker = (name: string, hostname: string) =>
    create(fleet, {
      image: undefined,
      template: 'talker',
      name,
      hostname,
      env: { NAME: name },
      init: true,
      start: true,
    })
  await talker('first', 'dock1')
  await talker('second', 'dock2')
  await create(fleet, { ...sh('echo never'), name: 'other' })
  const log = await Listener.open(`${fleet.api.url}/v1/logs?template=talker&follow=true`)
  await log.sees('first | first begins\n')
  await log.sees('second | second begins\n')
  await talker('third', 'dock1')
  await log.sees('third | third begins\n')
  expect(log.text).not.toContain('never')

  await fleet.dock('dock2').worker.kill()
  await log.sees('second | [Deblox: ', 15_000)
  expect(log.lines.filter((line) => line.startsWith('second | second'))).toHaveLength(1)
  fleet.dock('dock2').launch()
  await fleet.docksReady()
  log.leave()
}, 60_000)

test('an event stream of logs is gone on with at another replica', async () => {
  const box = await create(fleet, sh('n=0; while :; do n=$((n+1)); echo "line $n"; sleep 0.02; done'))
  const first = await Events.open(at(box, 'logs?follow=true'))
  await first.next(({ data }) => data.line === 'line 20')
  first.leave()
  const heard = first.heard.filter(({ event }) => event === 'message')
  const lastId = heard.at(-1)?.id ?? ''
  const second = await Events.open(at(box, 'logs?follow=true', fleet.apiNumber(2)), { 'last-event-id': lastId })
  await second.next(({ data }) => data.line === 'line 60')
  second.leave()
  const lines = [...heard, ...second.heard].map(({ data }) => data.line as string)
  expect(lines).toEqual(lines.map((_, n) => `line ${n + 1}`))
  await fleet.request(fleet.api, 'DELETE', `/v1/containers/${box.id}?force=true`)
}, 30_000)

test('a last line without a break is told to whoever follows when its container has ended', async () => {
  const box = await create(fleet, sh('echo one; sleep 0.1; printf bad >&2; sleep 0.1; printf two'))
  const log = await Listener.open(at(box, 'logs?follow=true'))
  // Docker itself takes them for ended with the container only, both at once.
  await eventually(() => log.lines.length === 3)
  expect(log.lines.toSorted()).toEqual(['bad', 'one', 'two'])
  const events = await Events.open(at(box, 'logs?follow=true'))
  await eventually(() => events.heard.length === 3)
  expect(events.heard.map(({ data }) => data.line)).toEqual(log.lines)
  log.leave()
  events.leave()
  const until = await Listener.open(at(box, 'logs?follow=true&until=0s'))
  await until.ends()
  expect(until.text.trimEnd()).toBe(log.text.trimEnd())
}, 30_000)

test('an event stream of logs gives whoever comes back a long line that lay across others', async () => {
  const box = await create(
    fleet,
    sh('head -c 40000 /dev/zero | tr "\\0" y; sleep 1; echo bad >&2; sleep 1; echo; echo last'),
  )
  const first = await Events.open(at(box, 'logs?follow=true'))
  const { id = '' } = await first.next(({ data }) => data.line === 'bad')
  first.leave()
  const second = await Events.open(at(box, 'logs?follow=true', fleet.apiNumber(2)), { 'last-event-id': id })
  await second.next(({ data }) => data.line === 'last')
  expect(second.heard.map(({ data }) => (data.line as string).length)).toEqual([40_000, 4])
  second.leave()
}, 30_000)

test('whoever attaches sees and types what the process of the container does', async () => {
  const box = await create(fleet, { ...sh('while read line; do echo "got $line"; done; exit 9'), tty: true })
  const attached = await TerminalClient.open(at(box, 'attach?stdin=true').replace(/^http/, 'ws'))
  await attached.type('hello\n')
  await attached.sees('got hello')
  await attached.endInput()
  expect(await attached.closed).toBe(1000)
  expect(attached.status).toEqual({ exitCode: 9 })
}, 30_000)
