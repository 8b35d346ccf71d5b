import { once } from 'node:events'
import { createServer, type IncomingMessage, request as httpRequest, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createSecretKey } from 'node:crypto'
import { DebloxError } from '@deblox/actions/errors'
import { sessionsOf } from '@deblox/fleet/sessions'
import { newToken } from '@deblox/fleet/token-text'
import { tokensOf } from '@deblox/fleet/tokens'
import { useFleet } from '../../../../test/support/fleet-on-redis'
import type { Known } from '../gate'
import { type AuthenticationDeps, authenticateBy } from './authenticate'
import { failuresPerMinute, throttleOf } from './throttle'

const use = useFleet()
const key = createSecretKey(Buffer.alloc(32, 1))
const adminToken = newToken().token
const anna = { subject: 'anna', teams: ['web'], role: 'deployer' } as const

const tokens = () => tokensOf(use.redis(), use.fleet().keys, [key])
const sessions = () => sessionsOf(use.redis(), use.fleet().keys, [key])
const newOf = (subject = 'anna') => tokens().create({ ...anna, subject, createdBy: 'root', lifeMs: 60_000 })

/** What a replica makes of a request; its headers arrive over a real connection, as node:http gives them. */
async function ask(headers: string[], more: Partial<AuthenticationDeps> = {}): Promise<Known | undefined> {
  const throttle = throttleOf(use.redis(), use.fleet().keys.failedLogins)
  const authenticate = authenticateBy({
    auth: 'on',
    tokens: tokens(),
    sessions: sessions(),
    throttle,
    ownOrigin: 'https://deblox.test',
    ...more,
  })
  return authenticate(await arrive(headers))
}

async function arrive(headers: string[]): Promise<IncomingMessage> {
  const { port } = server.address() as AddressInfo
  const sent = httpRequest({ port, headers: ['Host', 'localhost', ...headers], agent: false })
  sent.on('error', () => {}).end()
  const [request] = (await once(server, 'request')) as [IncomingMessage]
  return request
}

let server: Server
beforeAll(async () => {
  server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

const unauthenticated = expect.objectContaining({ code: 'unauthenticated', status: 401 })

test('whoever says nothing is nobody, and no failure', async () => {
  await expect(ask([])).resolves.toBeUndefined()
  await expect(ask(['Cookie', 'theme=dark; __Host-deblox-login=x'])).resolves.toBeUndefined()
})

test('a token says who comes with it', async () => {
  const { token, view } = await newOf()
  for (const scheme of ['Bearer', 'bearer', 'BEARER ']) {
    const known = { identity: anna, via: 'token', tokenId: view.id }
    await expect(ask(['Authorization', `${scheme} ${token}`])).resolves.toEqual(known)
  }
})

test('the environment’s token is an admin’s, also while Redis is away', async () => {
  const known = {
    identity: { subject: 'admin', teams: [], role: 'admin' },
    via: 'token',
    tokenId: adminToken.slice(4, 20),
  }
  const away = { verify: () => Promise.reject(new DebloxError('redis_unavailable', 'away')) }
  await expect(ask(['Authorization', `Bearer ${adminToken}`], { adminToken, tokens: away })).resolves.toEqual(known)
  await expect(ask(['Authorization', `Bearer ${adminToken}`])).rejects.toEqual(unauthenticated)
  const wrong = `${adminToken.slice(0, 21)}${newToken().token.slice(21)}`
  await expect(ask(['Authorization', `Bearer ${wrong}`], { adminToken })).rejects.toEqual(unauthenticated)
})

test('a login says who sits before the browser', async () => {
  const id = await sessions().begin(anna)
  const known = { identity: anna, via: 'session' }
  await expect(ask(['Cookie', `a=b; __Host-deblox=${id}; c=d`])).resolves.toEqual(known)
})

describe('a credential that is not good never becomes nobody, or somebody else', () => {
  const expectRefused = (headers: string[], more: Partial<AuthenticationDeps> = {}) =>
    expect(ask(headers, { adminToken, ...more })).rejects.toEqual(unauthenticated)

  test.each([
    `Bearer dbx_${'0'.repeat(16)}_${'x'.repeat(43)}`,
    'Bearer dbx_',
    'Bearer',
    'Bearer ',
    '',
    'Basic YWRtaW46YWRtaW4=',
    'Bearer a b',
    'Token x',
    'Bearer null',
    'Bearer undefined',
  ])('%j', (value) => expectRefused(['Authorization', value]))

  test('a JWT where there is no authority', () => expectRefused(['Authorization', 'Bearer eyJhbGciOiJub25lIn0.e30.']))

  test('a token is never taken for a JWT', async () => {
    const verifyJwt = jest.fn()
    await expectRefused(['Authorization', `Bearer ${newToken().token}`], { verifyJwt })
    expect(verifyJwt).not.toHaveBeenCalled()
  })

  test.each(['', 'x', 'x'.repeat(43), '"x"'])('the cookie %j', (value) =>
    expectRefused(['Cookie', `__Host-deblox=${value}`]),
  )

  test('two tokens, both good', async () => {
    const [one, other] = [await newOf(), await newOf('bert')]
    await expectRefused(['Authorization', `Bearer ${one.token}`, 'Authorization', `Bearer ${other.token}`])
    await expectRefused(['Authorization', `Bearer ${one.token}, Bearer ${other.token}`])
  })

  test('two logins, both good', async () => {
    const [one, other] = [await sessions().begin(anna), await sessions().begin({ ...anna, role: 'admin' })]
    await expectRefused(['Cookie', `__Host-deblox=${one}; __Host-deblox=${other}`])
    await expectRefused(['Cookie', `__Host-deblox=${one}`, 'Cookie', `__Host-deblox=${other}`])
  })

  test('a token and a login, both good', async () => {
    const [token, login] = [(await newOf()).token, await sessions().begin(anna)]
    await expectRefused(['Authorization', `Bearer ${token}`, 'Cookie', `__Host-deblox=${login}`])
    await expectRefused(['Authorization', 'Bearer wrong', 'Cookie', `__Host-deblox=${login}`])
    await expectRefused(['Authorization', `Bearer ${token}`, 'Cookie', '__Host-deblox=wrong'])
  })
})

test('with AUTH off everybody on this machine is an admin, whatever he sends', async () => {
  const known = { identity: { subject: 'anonymous', teams: [], role: 'admin' }, via: 'off' }
  await expect(ask([], { auth: 'off' })).resolves.toEqual(known)
  await expect(ask(['Authorization', 'Bearer wrong'], { auth: 'off' })).resolves.toEqual(known)
  const other = await arrive([])
  other.headers.host = 'evil.test'
  const authenticate = authenticateBy({ auth: 'off' } as AuthenticationDeps)
  await expect(authenticate(other)).rejects.toMatchObject({ code: 'csrf_refused' })
})

describe('failed credentials', () => {
  const tooMany = expect.objectContaining({ code: 'too_many_requests', status: 429 })
  const wrong = () => ['Authorization', `Bearer ${newToken().token}`]

  test('are throttled after so many, and right ones pass all the same', async () => {
    const { token } = await newOf()
    for (let n = 0; n < failuresPerMinute; n++) await expect(ask(wrong())).rejects.toEqual(unauthenticated)
    await expect(ask(wrong())).rejects.toEqual(tooMany)
    await expect(ask(['Cookie', '__Host-deblox=wrong'])).rejects.toEqual(tooMany)
    await expect(ask(['Authorization', `Bearer ${token}`])).resolves.toMatchObject({ identity: anna })
  })

  test('are counted by the token’s id as well, wherever they come from', async () => {
    const { view } = await newOf()
    const guess = (n: number) =>
      ask(['Authorization', `Bearer dbx_${view.id}_${newToken().token.slice(-43)}`], { addressOf: () => `10.0.0.${n}` })
    for (let n = 0; n < failuresPerMinute; n++) await expect(guess(n)).rejects.toEqual(unauthenticated)
    await expect(guess(99)).rejects.toEqual(tooMany)
  })

  test('are not what cannot be judged: neither while Redis is away, nor who has no role', async () => {
    const away = new DebloxError('redis_unavailable', 'away')
    const noRole = new DebloxError('forbidden', 'no role')
    for (let n = 0; n < failuresPerMinute + 1; n++) {
      await expect(ask(wrong(), { tokens: { verify: () => Promise.reject(away) } })).rejects.toBe(away)
      await expect(ask(['Authorization', 'Bearer a.b.c'], { verifyJwt: () => Promise.reject(noRole) })).rejects.toBe(
        noRole,
      )
    }
  })
})
