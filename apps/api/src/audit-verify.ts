import { existsSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { type AuditLine, readLine, type Verdict, verifyAudit } from '@deblox/fleet/audit-chain'
import { type AuditStore, auditStoreOf } from '@deblox/fleet/audit-store'
import { fleetKeys } from '@deblox/fleet/names'
import { exitWith, openLog, openRedis } from '@deblox/fleet/program'
import { openApiKeys } from '@deblox/fleet/signing/api-keys'
import { StartError } from '@deblox/fleet/start-error'
import { type ApiConfig, readConfig } from './config'

const usage = `node apps/api/dist/audit-verify.js [--head HASH] [FILE…]

Says whether the chain of decisions is whole: what GET /v1/audit answered, in the order of its pages (- for standard input),
or without a file what is in Redis. --head: a \`head\` that the log of an API replica has told must be among the hashes; what
was removed from the end is not found otherwise. Reads the variables of the API, because it takes the key of the API.
Ends with 0 where the chain is whole, 2 where it is not, naming the first link that is broken, and 1 where it cannot say.
`

/** So many entries are read from Redis at a time. */
const atOnce = 5_000

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { head: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  })
  if (values.help) return void process.stdout.write(usage)
  const config = readConfig()
  const macKeys = [await macKeyOf(config)] as const
  const seen = { head: values.head === undefined }
  const watch = async function* (lines: AsyncIterable<AuditLine | string>) {
    for await (const line of lines) {
      const hash = (typeof line === 'string' ? readLine(line) : line)?.hash
      seen.head ||= hash === values.head
      yield line
    }
  }
  if (positionals.length > 0) return tell(await verifyAudit(watch(linesOf(positionals)), macKeys), seen.head)
  const redis = await openRedis(config.REDIS_URL, 'fail-fast', openLog('silent', {}))
  try {
    const store = auditStoreOf(redis, fleetKeys(config.DEBLOX_PREFIX), macKeys)
    const start = await store.start()
    if (!start.signed) {
      process.stdout.write(
        'broken at the beginning: expected the API to have signed where the chain begins; it has not\n',
      )
      process.exitCode = 2
      return
    }
    tell(await verifyAudit(watch(entriesOf(store)), macKeys, start.hash), seen.head)
  } finally {
    redis.disconnect()
  }
}

/** Not made here where there is none: it would be another fleet's. */
async function macKeyOf({ DEBLOX_SIGNING_KEYS, DEBLOX_STATE_DIR }: ApiConfig) {
  const file = DEBLOX_SIGNING_KEYS ?? join(DEBLOX_STATE_DIR, 'api-keys.json')
  if (!existsSync(file)) throw new StartError(`DEBLOX_SIGNING_KEYS: expected the keys of the API, got no file ${file}`)
  return (await openApiKeys(file)).macKey('audit')
}

async function* linesOf(files: readonly string[]): AsyncGenerator<string> {
  for (const file of files) {
    const input = file === '-' ? process.stdin : (await open(file)).createReadStream()
    for await (const line of createInterface({ input, crlfDelay: Infinity })) if (line !== '') yield line
  }
}

async function* entriesOf(store: AuditStore): AsyncGenerator<AuditLine> {
  for (let cursor: string | null = '0-0'; cursor !== null;) {
    const { lines, nextCursor }: Awaited<ReturnType<AuditStore['page']>> = await store.page({
      from: `(${cursor}`,
      limit: atOnce,
    })
    yield* lines
    cursor = nextCursor
  }
}

function tell(verdict: Verdict, headSeen: boolean): void {
  if (!verdict.ok) {
    process.stdout.write(`broken at line ${verdict.line}: ${verdict.why}\n${verdict.text}\n`)
    process.exitCode = 2
  } else if (!headSeen) {
    process.stdout.write(`broken at the end: ${verdict.count} decisions are whole, but the head is not among them\n`)
    process.exitCode = 2
  } else {
    process.stdout.write(`whole: ${verdict.count} decisions, head ${verdict.head}\n`)
  }
}

main().catch((error: unknown) => exitWith('audit-verify', error))
