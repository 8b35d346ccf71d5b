import { once } from 'node:events'
import { connect } from 'node:net'
import { dockTopic } from '@deblox/fleet/names'
import { eventually } from '../support/eventually'
import type { Api } from '../support/api'
import { Browser, type Page } from '../support/browser'
import { GuardedFleet } from '../support/guarded-fleet'
import { type Reply, send } from '../support/http'

const canary = 'canary-4711'

let fleet: GuardedFleet

beforeAll(async () => {
  fleet = await GuardedFleet.start('edges')
  await fleet.startWorker('dock1')
}, 60_000)

afterAll(() => fleet.stop(), 60_000)

/** How often each status was answered to so many requests at once. */
async function statuses(count: number, ask: () => Promise<Reply>): Promise<Record<number, number>> {
  const seen: Record<number, number> = {}
  for (const { status } of await Promise.all(Array.from({ length: count }, ask))) seen[status] = (seen[status] ?? 0) + 1
  return seen
}

test.each(['/v1/docks', '/healthz', '/readyz', '/openapi.json', '/metrics', '/nothing', '/v1/audit'])(
  '%s: no browser may run, frame, keep, or read from elsewhere what it answers',
  async (path) => {
    const { headers } = await fleet.ask('GET', path, undefined, { Origin: 'https://evil.example' })
    expect(headers.get('content-security-policy')).toMatch(/^default-src 'none'/)
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('x-frame-options')).toBe('DENY')
    expect(headers.get('cache-control')).toBe('no-store')
    expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
    expect(headers.get('x-powered-by')).toBeNull()
  },
)

test('a preflight is answered as any method that is not there, with nothing that would let it pass', async () => {
  for (const path of ['/v1/docks', '/v1/containers', '/', '/jobs', '/nothing']) {
    const asked = { Origin: 'https://evil.example', 'Access-Control-Request-Method': 'PUT' }
    const { status, headers } = await send(`${fleet.api.url}${path}`, 'OPTIONS', undefined, asked)
    expect([401, 404, 405]).toContain(status)
    expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
  }
})

test('it tells the request’s id', async () => {
  const { headers } = await fleet.ask('GET', '/v1/docks', undefined, { 'X-Request-Id': 'mine' })
  expect(headers.get('x-request-id')).toBe('mine')
})

describe('with few requests a second allowed', () => {
  let api: Api

  beforeAll(async () => {
    const limits = { DEBLOX_RATE_PER_IDENTITY: '10', DEBLOX_RATE_PER_ADDRESS: '20', DEBLOX_TRUST_PROXY: '127.0.0.1' }
    api = await fleet.startApi(limits)
  })

  const from = (address: string, headers = {}) =>
    fleet.ask('GET', '/v1/docks', undefined, { 'X-Forwarded-For': address, ...headers }, api)

  test('an identity gets 429 for what is more, from wherever, and others do not', async () => {
    const [anna, ben] = [await fleet.somebody('anna', 'viewer'), await fleet.somebody('ben', 'viewer')]
    let n = 0
    expect(await statuses(30, () => from(`192.0.2.${++n}`, anna))).toEqual({ 200: 20, 429: 10 })
    const refused = await from('192.0.2.99', anna)
    expect(refused).toMatchObject({
      status: 429,
      body: {
        code: 'too_many_requests',
        detail: expect.stringMatching(/at most 10 a second \(DEBLOX_RATE_PER_IDENTITY\)/),
      },
    })
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await from('192.0.2.99', ben)).status).toBe(200)
    await eventually(async () => expect((await from('192.0.2.99', anna)).status).toBe(200))
  })

  test('an address gets 429 for what is more, whoever comes from there, before anybody looks who it is', async () => {
    const seen = await statuses(60, () => from('198.51.100.1', { authorization: 'Bearer nonsense' }))
    expect(seen[429]).toBeGreaterThanOrEqual(20)
    expect((await from('198.51.100.2')).status).toBe(200)
  })

  test('who is not behind a trusted proxy cannot say where he comes from', async () => {
    const strict = await fleet.startApi({ DEBLOX_RATE_PER_ADDRESS: '20', DEBLOX_RATE_PER_IDENTITY: '0' })
    let n = 0
    const ask = () => fleet.ask('GET', '/healthz', undefined, { 'X-Forwarded-For': `192.0.2.${++n}` }, strict)
    expect(await statuses(50, ask)).toMatchObject({ 429: expect.any(Number) })
  })

  test('while Redis is away the limits hold, and it is still said that the process lives', async () => {
    await fleet.server.pause()
    const ask = () => send(`${api.url}/healthz`, 'GET', undefined, { 'X-Forwarded-For': '203.0.113.1' })
    const began = performance.now()
    expect(await statuses(50, ask)).toEqual({ 200: 40, 429: 10 })
    expect(performance.now() - began).toBeLessThan(1_000)
    fleet.server.resume()
    await fleet.api.ready()
  })
})

describe('a caller that is broken or slow', () => {
  async function exchange(text: string): Promise<string> {
    const socket = connect(fleet.api.port, '127.0.0.1')
    const chunks: Buffer[] = []
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.write(text)
    await once(socket, 'close')
    return Buffer.concat(chunks).toString()
  }

  const start = 'GET /v1/docks HTTP/1.1\r\nHost: a\r\nConnection: close\r\n'

  test('with too many headers gets 431, as one with too long ones', async () => {
    const many = Array.from({ length: 101 }, (_, n) => `X${n}: 1\r\n`).join('')
    expect(await exchange(`${start}${many}\r\n`)).toMatch(/^HTTP\/1\.1 431 [^]*"code":"invalid_request"/)
    expect(await exchange(`${start}X: ${'a'.repeat(20_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 /)
  })

  test('that sends its headers a byte at a time is left within seconds', async () => {
    const socket = connect(fleet.api.port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.write(start)
    const drip = setInterval(() => socket.write('X'), 200)
    const [reply] = (await once(socket, 'data')) as [Buffer]
    clearInterval(drip)
    expect(reply.toString()).toMatch(/^HTTP\/1\.1 408 /)
  }, 20_000)

  test('with a body that is too large gets 413', async () => {
    const { status } = await fleet.ask('POST', '/v1/containers', { image: 'a'.repeat(1_100_000) })
    expect(status).toBe(413)
  })
})

describe('the pages, in a real browser', () => {
  let browser: Browser

  beforeAll(async () => {
    browser = await Browser.start()
    // The worker is frozen: its job stays where the dashboard shows it.
    await fleet.processes.find(({ name }) => name === 'worker of dock1')?.pause()
    const spec = { image: 'busybox', env: { A: canary }, hostname: 'dock1' }
    await fleet.ask('POST', '/v1/containers', spec, { Prefer: 'respond-async' })
  }, 30_000)

  afterAll(async () => {
    fleet.processes.find(({ name }) => name === 'worker of dock1')?.resume()
    await browser.stop()
  })

  const shows = (page: Page, text: string) =>
    eventually(async () => String(await page.evaluate('document.body.innerText')).includes(text), undefined, {
      within: 15_000,
      what: `the page shows ${text}`,
    })

  /** Waits until that part of the page is there. */
  const click = (page: Page, part: string) =>
    eventually(
      () => page.evaluate(`(part => (part?.click(), part !== null))(document.querySelector('${part}'))`),
      (done) => done === true,
      {
        within: 15_000,
        what: `the page has ${part}`,
      },
    )

  function expectNoComplaint(page: Page): void {
    // Swagger UI's own, where somebody tries an operation out before it has read it.
    expect(page.complaints.filter((what) => !what.includes('OperationNotFoundError'))).toEqual([])
    expect(page.asked.filter((url) => !url.startsWith(fleet.api.url) && !url.startsWith('data:'))).toEqual([])
  }

  test('/docs shows the routes and tries one out, and its policy is in nobody’s way', async () => {
    const page = await browser.open(`${fleet.api.url}/docs`)
    await click(page, '[id$="getHealthz"] .opblock-summary-control')
    await eventually(
      async () => {
        await click(page, '.execute')
        expect(await page.evaluate('document.body.innerText')).toMatch(/"status": "alive"/)
      },
      undefined,
      { within: 15_000, every: 250 },
    )
    expectNoComplaint(page)
  }, 30_000)

  test('/jobs shows that a job is there, not what it holds, and its policy is in nobody’s way', async () => {
    const headers = await fleet.somebody('otto', 'auditor')
    const queue = `${fleet.api.url}/jobs/queue/${dockTopic('dock1')}`
    const page = await browser.open(queue, headers)
    await shows(page, 'create-container')
    expect(await page.evaluate('document.documentElement.outerHTML')).not.toContain(canary)
    expectNoComplaint(page)
  }, 30_000)

  test('nothing that the dashboard is told has what a job holds, and it changes nothing for nobody', async () => {
    const { status, body } = await fleet.ask('GET', `/jobs/api/queues?activeQueue=${dockTopic('dock1')}`)
    expect(status).toBe(200)
    const { jobs } = (body.queues as { name: string; jobs: { id: string; data: object }[] }[]).find(
      ({ name }) => name === dockTopic('dock1'),
    ) ?? { jobs: [] }
    expect(jobs).toEqual([
      expect.objectContaining({ data: expect.objectContaining({ action: 'create-container', slot: 1 }) }),
    ])
    expect(JSON.stringify(body)).not.toContain(canary)
    const path = `/jobs/api/queues/${dockTopic('dock1')}/${jobs[0]?.id}`
    for (const part of ['', '/logs', '/flow']) {
      expect(JSON.stringify((await fleet.ask('GET', path + part)).body)).not.toContain(canary)
    }
    for (const verb of ['retry', 'clean', 'promote'])
      expect((await fleet.ask('PUT', `${path}/${verb}`)).status).toBe(405)
    expect((await fleet.ask('PATCH', `${path}/update-data`, { jobData: {} })).status).toBe(405)
  })
})

test.each(['/jobs', '/metrics', '/jobs/api/queues', '/jobs/static/favicon.ico'])(
  '%s is for admins and auditors',
  async (path) => {
    const seen = [(await send(`${fleet.api.url}${path}`, 'GET')).status]
    for (const role of ['viewer', 'operator', 'deployer', 'auditor', 'admin']) {
      seen.push((await fleet.ask('GET', path, undefined, await fleet.somebody(`some-${role}`, role))).status)
    }
    expect(seen).toEqual([401, 403, 403, 403, 200, 200])
  },
)
