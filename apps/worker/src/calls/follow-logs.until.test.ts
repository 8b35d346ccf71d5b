import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { someId } from '../../../../libs/actions/src/testing/context'
import { eventually } from '../../../../test/support/eventually'
import { AnsweringDouble } from '../testing/answering-double'
import { callContextDouble } from '../testing/call-context-double'
import { frame, useStreamsDouble } from '../testing/streams-double'
import { answerersFor } from './answerers'

const double = useStreamsDouble()
const time = (n: number): string => `2026-11-23T07:25:38.${String(n).padStart(9, '0')}Z`
const line = (n: number, text: string | number = n): Buffer => frame(1, `${time(n)} ${text}\n`)
const seconds = (ms: number): string => (ms / 1000).toFixed(3)
const longAgo = '1795418700'

/** How each request for the log is answered, one after the other. */
let answers: ((response: ServerResponse) => unknown)[]
let asked: Record<string, string>[]

beforeEach(() => {
  answers = []
  asked = []
  double.json(`GET /containers/${someId}/json`, {
    Id: someId,
    State: { Status: 'running', Running: true },
    Config: { Tty: false },
  })
  double.answer('GET /events', (response) => response.flushHeaders())
  double.answer(`GET /containers/${someId}/logs`, (response, { url = '' }: IncomingMessage) => {
    asked.push(Object.fromEntries(new URLSearchParams(url.replace(/^[^?]*/, ''))))
    response.flushHeaders()
    const answer = answers.shift()
    // Without one left: as Docker, who has more to tell one day to whoever follows.
    if (answer) answer(response)
    else if (asked.at(-1)?.['follow'] === 'false') response.end()
  })
})

function follow(more: object, window?: number) {
  const { context } = callContextDouble(double.dockerHost)
  const params = { id: someId, follow: true, stdout: true, stderr: true, ...more }
  const call = new AnsweringDouble({ kind: 'read-logs', params }, window)
  const ended = answerersFor(context).get('read-logs')?.(call) as Promise<unknown>
  ended.catch(() => undefined)
  return { call, ended }
}

/** The texts of lines. */
const textsOf = (call: AnsweringDouble): string[] =>
  [...call.text(1).matchAll(/^\S+ (.*)$/gm)].map(([, text]) => text as string)

test('where it is past, all that was logged until then is read, as if it were not followed', async () => {
  answers = [(response) => response.end(Buffer.concat([line(1), line(2)]))]
  const { call, ended } = follow({ until: longAgo, tail: 2 })
  expect(await ended).toEqual({})
  expect(textsOf(call)).toEqual(['1', '2'])
  expect(call.begun).toEqual([{ tty: false }])
  expect(asked).toMatchObject([{ follow: 'false', tail: '2', until: longAgo }])
})

test('what Docker has not told when it has come is read then, and nothing twice', async () => {
  answers = [
    (response) => response.write(Buffer.concat([line(1), line(2)])),
    (response) => response.end(Buffer.concat([line(2), line(2, 'too'), line(3)])),
  ]
  const until = seconds(Date.now() + 200)
  const { call, ended } = follow({ until, tail: 9 })
  expect(await ended).toEqual({})
  expect(textsOf(call)).toEqual(['1', '2', 'too', '3'])
  expect(asked).toMatchObject([
    { follow: 'true', tail: '9', until },
    { follow: 'false', since: '1795418738.000000002', until },
  ])
  expect(asked[1]).not.toHaveProperty('tail')
  await eventually(() => double.connections === 0)
})

test('what Docker goes on telling when it has come is not cut', async () => {
  answers = [
    (response) => {
      let n = 0
      const more = setInterval(() => {
        response.write(line(++n))
        if (n < 60) return
        clearInterval(more)
        response.end()
      }, 20)
    },
    (response) => response.end(),
  ]
  const { call, ended } = follow({ until: seconds(Date.now()) })
  expect(await ended).toEqual({})
  expect(textsOf(call)).toEqual(Array.from({ length: 60 }, (_, n) => `${n + 1}`))
})

test('of a log of which Docker has told nothing the same is read as was asked for', async () => {
  answers = [() => undefined, (response) => response.end(line(1))]
  const until = seconds(Date.now())
  const { call, ended } = follow({ until, tail: 7 })
  expect(await ended).toEqual({})
  expect(textsOf(call)).toEqual(['1'])
  expect(asked[1]).toMatchObject({ follow: 'false', tail: '7', until })
  expect(asked[1]).not.toHaveProperty('since')
})

test('where nothing was asked for that was there before, what came from its beginning on is read', async () => {
  answers = [() => undefined, (response) => response.end(line(1))]
  const begun = Math.floor(Date.now() / 1000)
  const { call, ended } = follow({ until: seconds(Date.now()), tail: 0 })
  expect(await ended).toEqual({})
  expect(textsOf(call)).toEqual(['1'])
  expect(asked[1]).not.toHaveProperty('tail')
  expect(Number(asked[1]?.['since'])).toBeGreaterThanOrEqual(begun)
})

test('nothing is dropped of what is read then, however slow its caller is', async () => {
  const all = Array.from({ length: 400 }, (_, n) => line(n + 1, 'x'.repeat(1_000)))
  answers = [
    (response) => response.write(line(0)),
    async (response) => {
      for (const one of all) if (!response.write(one)) await once(response, 'drain')
      response.end()
    },
  ]
  const { call, ended } = follow({ until: seconds(Date.now()) }, 1_000)
  await eventually(() => call.pieces.length === 1)
  call.stall()
  await eventually(() => asked.length === 2)
  // Longer than one who is behind in what is followed.
  await wait(2_500)
  await call.readOn()
  expect(await ended).toEqual({})
  expect(textsOf(call)).toHaveLength(401)
  expect(call.text(0)).toBe('')
}, 15_000)

test('where the container is gone by then, it ends as it is', async () => {
  answers = [(response) => response.write(line(1))]
  const { call, ended } = follow({ until: seconds(Date.now() + 100) })
  await eventually(() => call.text(1) !== '')
  double.json(`GET /containers/${someId}/logs`, { message: 'No such container' }, 404)
  expect(await ended).toEqual({})
  expect(textsOf(call)).toEqual(['1'])
})
