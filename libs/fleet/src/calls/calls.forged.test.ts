import { randomBytes, randomUUID } from 'node:crypto'
import { eventually } from '../../../../test/support/eventually'
import { useFleet } from '../../../../test/support/fleet-on-redis'
import { FleetClock } from '../clock'
import { asked, testCaller, useCalls } from '../testing/call-ends'
import { otherKeys, testKeys } from '../testing/keys'
import type { Opening } from './opening'

const use = useFleet()
let answered = 0
const { calls, dock } = useCalls(use, { count: async () => ++answered })

const callsKey = () => use.fleet().keys.calls('dock-1')
const add = (key: string, fields: Record<string, string | Buffer>) =>
  use.redis().xadd(key, '*', ...Object.entries(fields).flat())

interface Taken {
  opening: Opening
  body: string
  sig: string
}

/** What the API has written to open a call, and its dock has not read: it is not there yet. */
async function taken(): Promise<Taken> {
  const hostname = 'dock-2'
  const lease = use.fleet().keys.lease(hostname)
  await use.redis().set(lease, dock().incarnation)
  await use.redis().hset(use.fleet().keys.dock(hostname), 'seal', (await sealOfDock1()) ?? '')
  const asking = calls().ask(asked({ dock: hostname, kind: 'count', withinMs: 300 }))
  await expect(asking).rejects.toMatchObject({ code: 'call_timeout' })
  const [entry] = await use.redis().xrange(use.fleet().keys.calls(hostname), '-', '+', 'COUNT', 1)
  const [, body = '', , sig = ''] = entry?.[1] ?? []
  return { opening: JSON.parse(body) as Opening, body, sig }
}

const sealOfDock1 = () => use.redis().hget(use.fleet().keys.dock('dock-1'), 'seal')

/** A genuine opening for dock-1, as the API has told it to Redis. It has been answered. */
async function overheard(): Promise<Taken> {
  let told: unknown[] = []
  const redis = new Proxy(use.redis(), {
    get(target, name) {
      if (name !== 'evalsha') return Reflect.get(target, name, target) as unknown
      return (...args: Parameters<typeof target.evalsha>) => {
        told = args
        return target.evalsha(...args)
      }
    },
  })
  const api = testCaller({ ...use.fleet(), redis }, use.server().url)
  await api.ask(asked({ kind: 'count', withinMs: 30_000 }))
  await api.close()
  const [body, sig] = told.slice(6, 8).map(String)
  return { opening: JSON.parse(body ?? '') as Opening, body: body ?? '', sig: sig ?? '' }
}

beforeEach(() => {
  answered = 0
})

const signed = (body: string) => ({ o: body, s: testKeys.sign(body, 'deblox-call') })
const anotherId = () => randomBytes(16).toString('base64url')

test.each<[which: string, code: string, why: string, make: () => Promise<Record<string, string>>]>([
  [
    'that somebody else has signed',
    'bad_signature',
    'signature: expected',
    async () => {
      const { body } = await overheard()
      return { o: body, s: otherKeys().sign(body, 'deblox-call') }
    },
  ],
  [
    'that the API has signed as something else',
    'bad_signature',
    'signature: expected',
    async () => {
      const { body } = await overheard()
      return { o: body, s: testKeys.sign(body, 'deblox-job') }
    },
  ],
  [
    'of which one character is another',
    'bad_signature',
    'signature: expected',
    async () => {
      const { body, sig } = await overheard()
      return { o: body.replace('"dock-1"', '"dock-2"'), s: sig }
    },
  ],
  ['that is no JSON, though the API should have signed it', 'bad_signature', 'can be read', async () => signed('{')],
  [
    'that would write to another key',
    'invalid_request',
    'replica: expected',
    async () => signed(JSON.stringify({ ...(await overheard()).opening, replica: 'x:y' })),
  ],
  [
    'that is another dock’s',
    'bad_signature',
    'dock: expected',
    async () => {
      const { body, sig } = await taken()
      return { o: body, s: sig }
    },
  ],
  [
    'whose time is over',
    'bad_signature',
    'expiresAt: expected',
    async () => signed(JSON.stringify({ ...(await overheard()).opening, id: anotherId(), expiresAt: 1 })),
  ],
  [
    'whose question is another call’s',
    'bad_signature',
    'asked: expected',
    async () => signed(JSON.stringify({ ...(await overheard()).opening, id: anotherId() })),
  ],
  [
    'whose secret was sealed for another dock',
    'bad_signature',
    'sealed: expected',
    async () => {
      const { sealed } = (await taken()).opening
      const [id, session] = [anotherId(), anotherId()]
      return signed(JSON.stringify({ ...(await overheard()).opening, id, session, sealed }))
    },
  ],
  ['that is nothing at all', 'bad_signature', 'signature: expected', async () => ({ o: '' })],
])('an opening is refused %s', async (_, code, why, make) => {
  const fields = await make()
  const before = answered
  await add(callsKey(), fields)
  await eventually(() => dock().refusals.length > 0)
  expect(dock().refusals).toMatchObject([{ code, message: expect.stringContaining(why) }])
  // What comes behind it is answered.
  await expect(calls().ask(asked({ kind: 'count' }))).resolves.toBe(before + 1)
})

test('an opening shows nothing of what is asked, or by whom', async () => {
  const { opening } = await overheard()
  expect(Object.keys(opening).sort()).toEqual([
    'asked',
    'dock',
    'expiresAt',
    'id',
    'incarnation',
    'issuedAt',
    'replica',
    'sealed',
    'session',
    'v',
  ])
})

test('an opening that comes again is not answered again, and told when it cannot be Redis’s own repetition', async () => {
  const { body, sig } = await overheard()
  await add(callsKey(), { o: body, s: sig })
  await calls().ask(asked({ kind: 'count' }))
  expect(answered).toBe(2)
  expect(dock().refusals).toEqual([])
  const later = Date.now() + 11_000
  jest.spyOn(use.fleet().clock, 'now').mockReturnValue(later)
  await add(callsKey(), { o: body, s: sig })
  await eventually(() => dock().refusals.length === 1)
  expect(dock().refusals).toMatchObject([{ code: 'bad_signature', message: expect.stringContaining('again') }])
  expect(answered).toBe(2)
  jest.restoreAllMocks()
})

test('an opening for the worker before this one is passed over', async () => {
  const { opening } = await overheard()
  const body = JSON.stringify({ ...opening, id: anotherId(), incarnation: randomUUID() })
  await add(callsKey(), { o: body, s: testKeys.sign(body, 'deblox-call') })
  await expect(calls().ask(asked({ kind: 'count' }))).resolves.toBe(2)
  expect(dock().refusals).toEqual([])
})

test('two clocks that go wrong by hours agree by Redis’s', async () => {
  const wrong = new FleetClock(undefined, () => Date.now() + 3 * 3_600_000)
  const at = performance.now()
  wrong.observe(Date.now(), at, at)
  const api = testCaller({ ...use.fleet(), clock: wrong }, use.server().url)
  await expect(api.ask(asked({ kind: 'count' }))).resolves.toBe(1)
  await api.close()
})
