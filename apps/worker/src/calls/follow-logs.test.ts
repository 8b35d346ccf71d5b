import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { someId } from '../../../../libs/actions/src/testing/context'
import { eventually } from '../../../../test/support/eventually'
import { AnsweringDouble } from '../testing/answering-double'
import { callContextDouble } from '../testing/call-context-double'
import { frame, useStreamsDouble } from '../testing/streams-double'
import { answerersFor } from './answerers'

const double = useStreamsDouble()
const time = (n: number): string => `2026-11-23T07:25:38.00000000${n}Z`
const line = (n: number, text: string): Buffer => frame(1, `${time(n)} ${text}\n`)

let state: object
let events: ServerResponse[]
let rounds: Buffer[][]
/** What Docker tells whoever does not follow. */
let rest: Buffer[]

beforeEach(() => {
  state = { Status: 'exited', Running: false }
  events = []
  rounds = []
  rest = []
  double.answer(`GET /containers/${someId}/json`, (response) => {
    response.end(JSON.stringify({ Id: someId, State: state, Config: { Tty: false } }))
  })
  double.answer('GET /events', (response) => {
    response.flushHeaders()
    events.push(response)
  })
  double.answer(`GET /containers/${someId}/logs`, (response, { url }) => {
    const isFollowed = url?.includes('follow=true')
    const round = isFollowed ? rounds.shift() : rest.splice(0)
    // Without one left: as Docker, who has more to tell one day to whoever follows.
    if (round) response.end(Buffer.concat(round))
    else response.flushHeaders()
  })
})

function follow(more: object = {}) {
  const { context } = callContextDouble(double.dockerHost)
  const params = { id: someId, follow: true, stdout: true, stderr: true, ...more }
  const call = new AnsweringDouble({ kind: 'read-logs', params })
  const ended = answerersFor(context).get('read-logs')?.(call) as Promise<unknown>
  ended.catch(() => undefined)
  return { call, ended }
}

/** The queries with which the log was followed. */
const asked = () =>
  double.asked
    .filter((what) => what.includes('/logs') && what.includes('follow=true'))
    .map((what) => Object.fromEntries(new URLSearchParams(what.replace(/^[^?]*/, ''))))
const tell = (Action: string) => events.at(-1)?.write(`${JSON.stringify({ Action, Actor: { ID: someId } })}\n`)
const waiting = (count: number) => eventually(() => events.length === count)

test('goes on after a start, from where it was, with nothing read twice', async () => {
  rounds = [[line(1, 'one'), line(2, 'two')], [line(2, 'two'), line(3, 'three')], []]
  const { call, ended } = follow({ tail: 2, since: '5' })
  await waiting(1)
  expect(call.text(1)).toBe(`${time(1)} one\n${time(2)} two\n`)
  tell('start')
  await waiting(2)
  tell('start')
  await waiting(3)
  tell('destroy')
  expect(await ended).toEqual({})
  expect(call.text(1)).toBe(`${time(1)} one\n${time(2)} two\n${time(3)} three\n`)
  const always = { follow: 'true', stdout: 'true', stderr: 'true', timestamps: 'true' }
  expect(asked()).toEqual([
    { ...always, tail: '2', since: '5' },
    { ...always, since: '1795418738.000000002' },
    { ...always, since: '1795418738.000000003' },
  ])
  expect(call.begun).toEqual([{ tty: false }])
})

test('what Docker has not told whoever follows when the container stops is told then, in time', async () => {
  const bad = frame(2, `${time(4)} bad`)
  const late = frame(1, `${time(3)} late`)
  rounds = [[line(1, 'one'), bad]]
  rest = [line(1, 'one'), bad, late]
  const { call } = follow()
  await eventually(() => call.text(1) === `${time(1)} one\n${time(3)} late\n`)
  expect(call.text(2)).toBe(`${time(4)} bad\n`)
  call.leave()
})

test('a last line that was left unfinished is ended when the container has stopped, not before', async () => {
  const left = (n: number) => frame(1, `${time(n)} left`)
  rounds = [
    [line(1, 'one'), left(2)],
    [left(2), line(3, 'three')],
  ]
  const { call } = follow()
  await waiting(1)
  await eventually(() => call.text(1) === `${time(1)} one\n${time(2)} left\n`)
  tell('start')
  await waiting(2)
  expect(call.text(1)).toBe(`${time(1)} one\n${time(2)} left\n${time(3)} three\n`)
  call.leave()

  rounds = [[left(2)]]
  state = { Status: 'running', Running: true }
  const running = follow()
  await eventually(() => asked().length === 4)
  expect(running.call.text(1)).toBe(`${time(2)} left`)
  running.call.leave()
})

test('goes on at once where the container runs again already', async () => {
  rounds = [[line(1, 'one')]]
  state = { Status: 'running', Running: true }
  const { call } = follow()
  await eventually(() => asked().length === 2)
  expect(events).toHaveLength(1)
  call.leave()
})

test('waits where the container is to be restarted, which Docker calls running', async () => {
  rounds = [[line(1, 'one')]]
  state = { Status: 'restarting', Running: true, Restarting: true }
  const { call } = follow()
  const looks = () => double.asked.filter((what) => what.includes(`${someId}/json`)).length
  await eventually(() => looks() === 2)
  // Whatever it does after that look has been done when another call has been answered.
  const { context } = callContextDouble(double.dockerHost)
  const other = new AnsweringDouble({ kind: 'inspect-container', params: { id: someId } })
  await answerersFor(context).get('inspect-container')?.(other)
  expect(asked()).toHaveLength(1)
  tell('start')
  await eventually(() => asked().length === 2)
  call.leave()
})

test('of a log without a line asks for what comes from its own beginning on', async () => {
  rounds = [[]]
  const before = Date.now() / 1000
  const { call } = follow({ tail: 0 })
  await waiting(1)
  tell('start')
  await eventually(() => asked().length === 2)
  const since = Number(asked()[1]?.['since'])
  expect(since).toBeGreaterThanOrEqual(Math.floor(before))
  expect(since).toBeLessThanOrEqual(Date.now() / 1000)
  call.leave()
})

test('is not begun where there is no such container', async () => {
  rounds = [[line(1, 'one')]]
  const { call, ended } = follow()
  double.json(`GET /containers/${someId}/json`, { message: 'No such container' }, 404)
  await expect(ended).rejects.toMatchObject({ code: 'docker_error', status: 404 })
  expect(call.begun).toEqual([])
})

test('ends without a failure where it is being removed when it is to be read once more', async () => {
  rounds = [[line(1, 'one')]]
  const { call, ended } = follow()
  await waiting(1)
  expect(call.text(1)).toBe(`${time(1)} one\n`)
  double.json(`GET /containers/${someId}/logs`, { message: 'dead or marked for removal' }, 409)
  tell('start')
  expect(await ended).toEqual({})
})

test('ends without a failure where it was removed meanwhile', async () => {
  const first: { response?: ServerResponse } = {}
  double.answer(`GET /containers/${someId}/logs`, (response) => {
    first.response = response
    response.write(line(1, 'one'))
  })
  const { call, ended } = follow()
  await eventually(() => call.text(1) !== '')
  double.json(`GET /containers/${someId}/json`, { message: 'No such container' }, 404)
  first.response?.end()
  expect(await ended).toEqual({})
})

test('ends when its time is over, though Docker says nothing', async () => {
  const { call, ended } = follow({ until: (Date.now() / 1000).toFixed(3) })
  expect(await ended).toEqual({})
  expect(call.begun).toEqual([{ tty: false }])
  await eventually(() => double.connections === 0)
})

test('fails where Docker’s answer, or its events, break off', async () => {
  double.answer(`GET /containers/${someId}/logs`, (response) => {
    response.write(line(1, 'one'), () => response.destroy())
  })
  await expect(follow().ended).rejects.toMatchObject({ code: 'stream_broken' })
  double.answer(`GET /containers/${someId}/logs`, (response) => response.end())
  const { ended } = follow()
  await waiting(1)
  const closed = once(events[0] as ServerResponse, 'close')
  events[0]?.end()
  await closed
  await expect(ended).rejects.toMatchObject({ code: 'stream_broken' })
})
