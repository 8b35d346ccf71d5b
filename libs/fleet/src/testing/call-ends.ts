import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto'
import type { Identity } from '@deblox/actions/access/identity'
import { type AnsweredCalls, type AnswerOptions, answerCalls } from '../calls/answers'
import type { Answerer, Asked, Piece } from '../calls/call'
import { callsTo, type CallerOptions, type OpenCalls } from '../calls/caller'
import { pace } from '../calls/limits'
import type { Fleet } from '../fleet'
import { thumbprint } from '../signing/public-keys'
import type { SealKey } from '../signing/seal'
import { trustIn } from '../signing/trust'
import type { useFleet } from '../../../../test/support/fleet-on-redis'
import { testKeys } from './keys'

export const someone: Identity = { subject: 'anna', teams: [], role: 'operator' }

/** A question that nobody leaves by itself. */
export const asked = (more: Partial<Asked> = {}): Asked => ({
  dock: 'dock-1',
  kind: 'echo',
  params: {},
  identity: someone,
  given: {},
  signal: new AbortController().signal,
  withinMs: 5_000,
  ...more,
})

export interface TestDock extends AnsweredCalls {
  incarnation: string
  sealKey: KeyObject
  refusals: { code: string; message: string }[]
  errors: unknown[]
}

/** A dock that answers calls, with its lease and its key told, but without anything else of a worker. */
export async function testDock(
  fleet: Fleet,
  url: string,
  answerers: Record<string, Answerer>,
  more: Partial<AnswerOptions> = {},
): Promise<TestDock> {
  const { hostname = 'dock-1', incarnation = randomUUID() } = more
  const sealKey = more.sealKey ?? generateKeyPairSync('x25519').privateKey
  const { kty, crv, x } = sealKey.export({ format: 'jwk' }) as unknown as SealKey
  await fleet.redis.hset(
    fleet.keys.dock(hostname),
    'seal',
    JSON.stringify({ kty, crv, x, kid: thumbprint({ kty, crv, x }) }),
  )
  await fleet.redis.set(fleet.keys.lease(hostname), incarnation)
  const refusals: TestDock['refusals'] = []
  const errors: unknown[] = []
  const answers = answerCalls({
    fleet,
    url,
    hostname,
    incarnation,
    isHeld: () => true,
    vouch: trustIn(testKeys).vouch,
    sealKey,
    answerers: new Map(Object.entries(answerers)),
    onRefused: (refusal) => void refusals.push(refusal),
    onError: (error) => void errors.push(error),
    ...more,
  })
  return {
    incarnation,
    sealKey,
    refusals,
    errors,
    get count() {
      return answers.count
    },
    close: () => answers.close(),
  }
}

export const testCaller = (fleet: Fleet, url: string, more: Partial<CallerOptions> = {}): OpenCalls =>
  callsTo({ fleet, url, keys: testKeys, onError: () => {}, ...more })

/** A pace at which tests need not wait for who is dead. */
export const quickly = { ...pace, beatMs: 150, silentBeats: 12, awayBeats: 30 }

/** A dock and a replica for each test of a file, that are closed after it. */
export function useCalls(
  use: ReturnType<typeof useFleet>,
  answerers: Record<string, Answerer>,
  { dock: dockMore = {}, api = {} }: { dock?: Partial<AnswerOptions>; api?: Partial<CallerOptions> } = {},
) {
  let dock: TestDock
  let calls: OpenCalls
  beforeEach(async () => {
    dock = await testDock(use.fleet(), use.server().url, answerers, dockMore)
    calls = testCaller(use.fleet(), use.server().url, api)
  })
  afterEach(async () => {
    await calls.close()
    await dock.close()
  })
  return { dock: () => dock, calls: () => calls }
}

/** All that a call sends on one channel, or on any. */
export async function read(output: AsyncIterable<Piece>, channel?: number): Promise<Buffer> {
  const got: Buffer[] = []
  for await (const piece of output) if (channel === undefined || piece.channel === channel) got.push(piece.bytes)
  return Buffer.concat(got)
}

/** Sends back what comes, and tells at its end how much that was. */
export const echo: Answerer = async (call) => {
  await call.begin({ kind: call.kind })
  let bytes = 0
  for await (const one of call.input) {
    bytes += one.length
    await call.send(0, one)
  }
  return { bytes }
}

/** Sends until nobody listens, and notes how much. */
export function flood(): { answerer: Answerer; sent: () => number } {
  let sent = 0
  const answerer: Answerer = async (call) => {
    const bytes = Buffer.alloc(64 * 1024, 1)
    for (;;) {
      await call.send(1, bytes)
      sent += bytes.length
    }
  }
  return { answerer, sent: () => sent }
}

/** Answers when nobody waits any more. */
export const never: Answerer = async (call) => {
  await call.begin()
  await new Promise<void>((resolve) => call.signal.addEventListener('abort', () => resolve()))
}
