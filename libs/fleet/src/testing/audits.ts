import { createSecretKey, randomBytes } from 'node:crypto'
import { PassThrough } from 'node:stream'
import pino from 'pino'
import { useFleet } from '../../../../test/support/fleet-on-redis'
import { Audit, type AuditOptions } from '../audit'
import { type AuditEntry, type AuditLine, type Decision, type Verdict, verifyAudit } from '../audit-chain'

export const decision = (more: Partial<Decision> = {}): Decision => ({
  who: 'anna',
  via: 'token',
  tokenId: 't1',
  role: 'operator',
  permission: 'start-container',
  object: 'ab'.repeat(32),
  dock: 'dock1',
  job: '0190c2a4-0000-7000-8000-000000000000',
  address: '192.0.2.1',
  requestId: 'r1',
  decision: 'allow',
  status: 200,
  ...more,
})

/** For the tests of one file: a real Redis, audits on it, and what they log. */
export function useAudits() {
  const use = useFleet()
  const key = createSecretKey(randomBytes(32))
  const audits: Audit[] = []
  let logged: string[] = []

  beforeEach(() => {
    logged = []
  })
  afterEach(async () => {
    await Promise.all(audits.splice(0).map((audit) => audit.stop(100)))
  })

  /** One replica's. */
  const open = (more: Partial<AuditOptions> = {}): Audit => {
    const out = new PassThrough()
    out.on('data', (chunk: Buffer) => logged.push(...chunk.toString().trim().split('\n')))
    const { redis, keys } = use.fleet()
    const audit = new Audit({ redis, keys, macKeys: [key], log: pino({ level: 'warn' }, out), ...more })
    audits.push(audit)
    return audit
  }

  const linesOf = async (audit: Audit): Promise<AuditLine[]> => (await audit.store.page({ limit: 100_000 })).lines

  return {
    ...use,
    key,
    open,
    logged: () => logged,
    entriesOf: async (audit: Audit) => (await linesOf(audit)).map(({ text }) => JSON.parse(text) as AuditEntry),

    /** Whether the chain is whole from its beginning, which must be signed, to its end. */
    async verdict(audit: Audit): Promise<Verdict> {
      const start = await audit.store.start()
      if (!start.signed) throw new Error('expected a beginning that is signed')
      return verifyAudit(await linesOf(audit), [key], start.hash)
    },

    /** As somebody sees the stream who has Redis's password and not the key, and what he may do to it. */
    stream: () => use.redis().xrange(use.fleet().keys.audit, '-', '+'),
    remove: (id = '') => use.redis().xdel(use.fleet().keys.audit, id),
  }
}
