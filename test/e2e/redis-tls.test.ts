import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Api } from '../support/api'
import { eventually } from '../support/eventually'
import { FakeDaemon } from '../support/fake-daemon'
import { freePort } from '../support/free-port'
import { GuardedRedis } from '../support/guarded-redis'
import { send } from '../support/http'
import { type RunningProcess, startProgram } from '../support/processes'
import { runFolder } from '../support/run-folder'

const run = promisify(execFile)

let folder: string
let redis: GuardedRedis
let daemon: FakeDaemon
const started: RunningProcess[] = []

const path = (name: string): string => join(folder, name)
const openssl = (...args: string[]) => run('openssl', args)
const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

/** A certificate authority of its own, as a company has one. */
async function makeAuthority(name: string): Promise<void> {
  const files = ['-keyout', path(`${name}.key`), '-out', path(`${name}.pem`)]
  await openssl('req', '-x509', ...newKey, ...files, '-days', '2', '-subj', `/CN=${name} test authority`)
}

/** A certificate for a server of these names. */
async function makeCertificate(name: string, authority: string, names: string): Promise<void> {
  const asked = ['-keyout', path(`${name}.key`), '-out', path(`${name}.csr`), '-subj', `/CN=${name}`]
  await openssl('req', ...newKey, ...asked)
  await writeFile(path(`${name}.ext`), `subjectAltName=${names}\n`)
  const by = ['-CA', path(`${authority}.pem`), '-CAkey', path(`${authority}.key`), '-CAcreateserial']
  const files = ['-in', path(`${name}.csr`), '-out', path(`${name}.pem`), '-extfile', path(`${name}.ext`)]
  await openssl('x509', '-req', ...files, ...by, '-days', '2')
}

const startTlsRedis = (certificate: string): Promise<GuardedRedis> =>
  GuardedRedis.start(async (_, port) => {
    const files = { cert: `${certificate}.pem`, key: `${certificate}.key`, 'ca-cert': 'ours.pem' }
    const named = Object.entries(files).flatMap(([what, name]) => [`--tls-${what}-file`, path(name)])
    return ['--port', '0', '--tls-port', String(port), '--tls-auth-clients', 'no', ...named]
  })

beforeAll(async () => {
  folder = await mkdtemp(join(runFolder(), 'tls-'))
  await makeAuthority('ours')
  await makeAuthority('foreign')
  await makeCertificate('redis', 'ours', 'DNS:localhost,IP:127.0.0.1')
  await makeCertificate('elsewhere', 'ours', 'DNS:redis.example.com')
  redis = await startTlsRedis('redis')
  daemon = await FakeDaemon.start()
}, 30_000)

afterEach(async () => {
  await Promise.all(started.splice(0).map((process) => process.stop()))
})

afterAll(async () => {
  await redis.remove()
  await daemon.stop()
  await rm(folder, { recursive: true })
}, 30_000)

const envOf = (url: string, authority?: string): Record<string, string> => ({
  REDIS_URL: url,
  DEBLOX_PREFIX: 'tls',
  AUTH: 'off',
  HOST: '127.0.0.1',
  DEBLOX_STATE_DIR: folder,
  ...(authority !== undefined && { NODE_EXTRA_CA_CERTS: path(`${authority}.pem`) }),
})

test.each(['localhost', '127.0.0.1'])(
  'with the authority of a company all of it works by rediss://%s',
  async (host) => {
    const env = envOf(`rediss://${host}:${redis.port}`, 'ours')
    const api = new Api('api', await freePort(), env)
    started.push(api.process)
    await api.ready()
    const worker = startProgram('worker', { ...env, DOCK_HOSTNAME: `by-${host}`, DOCKER_HOST: daemon.dockerHost })
    started.push(worker)
    await worker.waitForLine(/acts for this dock/, { within: 20_000 })
    await eventually(async () => {
      const { body } = await send(`${api.url}/v1/docks/by-${host}`, 'GET')
      expect(body.state).toBe('ready')
    })
    const made = await send(`${api.url}/v1/containers`, 'POST', { image: 'busybox', hostname: `by-${host}` })
    expect(made.status).toBe(201)
  },
  60_000,
)

test.each(['api', 'worker'] as const)(
  'the %s refuses in one line a Redis that is not the one it trusts',
  async (program) => {
    const other = await startTlsRedis('elsewhere')
    const refused = async (what: string, url: string, authority: string | undefined, got: RegExp): Promise<void> => {
      const own = { PORT: String(await freePort()), DOCK_HOSTNAME: 'refused', DOCKER_HOST: daemon.dockerHost }
      const process = startProgram(program, { ...own, ...envOf(url, authority), LOG_LEVEL: 'silent' })
      started.push(process)
      const { code } = await process.exited
      expect({ what, code, lines: process.lines }).toEqual({
        what,
        code: 1,
        lines: [
          expect.stringMatching(new RegExp(`^deblox ${program}: REDIS_URL: expected Redis to answer .*${got.source}`)),
        ],
      })
    }
    // At once: a program waits a while for a Redis that may come.
    await Promise.all([
      refused('of an authority that it does not know', `rediss://localhost:${redis.port}`, undefined, /certificate/),
      refused('of another than it was given', `rediss://localhost:${redis.port}`, 'foreign', /certificate/),
      refused('of another name', `rediss://localhost:${other.port}`, 'ours', /altnames/),
      refused('that is asked without TLS', `redis://localhost:${redis.port}`, 'ours', /got /),
    ])
    await other.remove()
  },
  60_000,
)
