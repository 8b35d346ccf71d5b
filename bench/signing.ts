import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decide } from '@deblox/actions/access/decide'
import type { Identity } from '@deblox/actions/access/identity'
import { type JobRecord, newJobId, payloadOf, slotJobId } from '@deblox/fleet/job'
import { dockTopic } from '@deblox/fleet/names'
import { openJob, signJob } from '@deblox/fleet/payload'
import { openApiKeys } from '@deblox/fleet/signing/api-keys'
import type { PublicKey } from '@deblox/fleet/signing/public-keys'
import { trustIn } from '@deblox/fleet/signing/trust'
import { FlattenedSign, flattenedVerify, generateKeyPair, importJWK } from 'jose'
import { pino } from 'pino'
import { Spent } from '../apps/worker/src/spent'
import { median, p99 } from './statistics'

const rounds = 5_000
const warmUp = 500

/** What signing, verifying and authorising add to a start, and what it would be by jose, in milliseconds; as Markdown. */
export async function measureSigning(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'deblox-bench-'))
  try {
    return await measure(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function measure(folder: string): Promise<string> {
  const keys = await openApiKeys(join(folder, 'api-keys.json'))
  const { vouch } = trustIn(keys)
  const log = pino({ level: 'silent' })
  const spent = await Spent.open(folder, 'dock1', () => Date.now(), log)
  const took = new Map<string, number[]>()
  const note = (what: string, ms: number): void => {
    const known = took.get(what)
    if (known) known.push(ms)
    else took.set(what, [ms])
  }
  const time = async <T>(what: string, act: () => T | Promise<T>): Promise<T> => {
    const began = performance.now()
    const result = await act()
    note(what, performance.now() - began)
    return result
  }
  const publicKey = await importJWK(keys.set.keys[0] as PublicKey, 'EdDSA')
  const { privateKey, header } = await joseKey()
  for (let round = 0; round < rounds + warmUp; round++) {
    const id = newJobId()
    const all = performance.now()
    // As the API does: it judges, and signs.
    await time('authorise', () => decide(anna, 'start-container', container, grants))
    const payload = payloadOf(recordOf(id), 1)
    const signed = await time('sign', () => signJob(payload, keys))
    // As a worker does: it opens, looks whether that was done, and remembers that it is.
    await time('verify and read', () => openJob(signed, vouch))
    await time('spent', () => {
      if (!spent.has(slotJobId(id, 1))) spent.add(slotJobId(id, 1), Date.now() + 60_000, outcome)
    })
    note('all of it', performance.now() - all)
    const body = Buffer.from(signed.body)
    await time('sign by jose', () => new FlattenedSign(body).setProtectedHeader(header).sign(privateKey))
    const [head = '', , signature = ''] = signed.sig.split('.')
    await time('verify by jose', () =>
      flattenedVerify({ payload: body, protected: head, signature }, publicKey, { algorithms: ['EdDSA'] }),
    )
  }
  await spent.close()
  for (const ms of took.values()) ms.splice(0, warmUp)
  const rows = [...took].map(([what, ms]) => `| ${what} | ${median(ms).toFixed(3)} | ${p99(ms).toFixed(3)} |`)
  const bound = median(took.get('all of it') ?? []) <= 1 ? 'kept' : 'BROKEN'
  return [
    `What each start has to bear, in milliseconds, over ${rounds} rounds (the bound of 1 ms at p50 is ${bound}):`,
    '',
    '| part | p50 | p99 |',
    '| --- | --: | --: |',
    ...rows,
  ].join('\n')
}

async function joseKey() {
  const { privateKey } = await generateKeyPair('EdDSA')
  return { privateKey, header: { alg: 'EdDSA', b64: false, crit: ['b64'], kid: 'x'.repeat(43), typ: 'deblox-job' } }
}

const containerId = '5f2b'.repeat(16)
const anna: Identity = { subject: 'anna', teams: ['web', 'mail'], role: 'operator' }
const container = { id: containerId, dock: 'dock1', owner: 'team:web', labels: { 'deblox.owner': 'team:web' } }
const grants = Array.from({ length: 100 }, (_, n) => ({
  id: `grant-${n}`,
  to: `team:${n}`,
  may: ['start-container' as const],
  on: { labels: { tier: String(n) } },
  by: 'admin',
  at: '2026-01-01T00:00:00.000Z',
}))

const recordOf = (id: string): JobRecord => ({
  id,
  action: 'start-container',
  params: { id: containerId },
  actor: 'anna',
  owner: 'team:web',
  identity: anna,
  given: { owner: 'team:web' },
  replyTo: 'deblox:replies:018c3e7f-aaaa-7abc-8def-0123456789ab',
  numbered: false,
  acceptedAt: Date.now(),
  expiresAt: Date.now() + 86_400_000,
  topics: [dockTopic('dock1')],
})

const outcome = {
  slot: 1,
  state: 'completed' as const,
  dock: 'dock1',
  attempts: 1,
  startedAt: 1,
  finishedAt: 2,
  result: { envelope: { Date: 'now', Response: '' as const, dockerInstance: 'dock1', statusCode: 204 } },
  error: null,
}
