import { join } from 'node:path'
import { allowancesOf } from '@deblox/fleet/allowances'
import { Audit } from '@deblox/fleet/audit'
import type { Fleet } from '@deblox/fleet/fleet'
import { grantsOf } from '@deblox/fleet/grants'
import { quotasOf } from '@deblox/fleet/quota'
import { sessionsOf } from '@deblox/fleet/sessions'
import { type ApiKeys, openApiKeys } from '@deblox/fleet/signing/api-keys'
import { tokensOf } from '@deblox/fleet/tokens'
import type { RequestHandler } from 'express'
import type { Logger } from 'pino'
import { accessTo } from './access'
import { authenticateBy } from './auth/authenticate'
import { makeFirstToken } from './auth/first-token'
import { jwtVerifierOf } from './auth/jwt'
import { loginRouter } from './auth/login'
import { throttleOf } from './auth/throttle'
import type { ApiConfig } from './config'
import { decisionFrom } from './edges/decision'
import { edges } from './edges/edges'
import { addressesBehind, requestIdOf } from './edges/origin'
import { ratesOf } from './edges/rates'
import type { Gate } from './gate'
import type { Metrics } from './metrics'

/** The keys of this replica, which all replicas of a fleet share. */
export const openKeys = ({ DEBLOX_SIGNING_KEYS, DEBLOX_STATE_DIR }: ApiConfig): Promise<ApiKeys> =>
  openApiKeys(DEBLOX_SIGNING_KEYS ?? join(DEBLOX_STATE_DIR, 'api-keys.json'))

/** Who may come in, what he may do, and what is written down about it. */
export function guardOf(fleet: Fleet, keys: ApiKeys, config: ApiConfig, metrics: Metrics, log: Logger) {
  const { redis } = fleet
  const { AUTH: auth, oidc, publicUrl, DEBLOX_ADMIN_TOKEN: adminToken } = config
  const onForged = (what: string) => (id: string) =>
    log.warn({ id, code: 'forged_record' }, `a ${what} was found in Redis that no API has written; it does not count`)
  const tokens = tokensOf(redis, fleet.keys, [keys.macKey('tokens')], { onForged: onForged('token') })
  const sessions = sessionsOf(redis, fleet.keys, [keys.macKey('sessions')], { onForged: onForged('session') })
  const grants = grantsOf(redis, fleet.keys, keys.macKey('grants'))
  const audit = new Audit({
    redis,
    keys: fleet.keys,
    macKeys: [keys.macKey('audit')],
    log,
    kept: config.DEBLOX_AUDIT_ENTRIES,
    onEntry: (entry) => metrics.onDecision(entry),
  })
  metrics.watchAudit(() => audit.counts)

  const throttle = throttleOf(redis, fleet.keys.failedLogins)
  const addressOf = addressesBehind(config.DEBLOX_TRUST_PROXY)
  // Whoever is on this machine, and everybody is an admin then, is not to be held up.
  const isOpen = auth === 'off'
  const rates = ratesOf(redis, fleet.keys.rates, {
    perIdentity: isOpen ? 0 : config.DEBLOX_RATE_PER_IDENTITY,
    perAddress: isOpen ? 0 : config.DEBLOX_RATE_PER_ADDRESS,
  })
  const credentials = {
    auth,
    tokens,
    sessions,
    throttle,
    addressOf,
    ...(adminToken !== undefined && { adminToken }),
    ...(oidc && { verifyJwt: jwtVerifierOf(oidc) }),
    ...(publicUrl && { ownOrigin: publicUrl.origin }),
  }
  const authenticate = authenticateBy(credentials)
  // Who was let in before does not guess: a token that many streams go by is revoked once, not once for each.
  const authenticateAgain = authenticateBy({ ...credentials, throttle: { ...throttle, failed: async () => undefined } })
  const gate: Gate = {
    async know(request) {
      const known = await authenticate(request)
      if (known) await rates.ofIdentity(known.identity.subject)
      return known
    },
    still: (request) => authenticateAgain(request),
    addressOf,
    requestIdOf,
  }
  const login: { path: string; handler: RequestHandler }[] = oidc?.client
    ? [
        {
          path: '/auth',
          handler: loginRouter({ settings: oidc, sessions, throttle, addressOf, macKey: keys.macKey('logins') }),
        },
      ]
    : []
  if (isOpen) log.warn('AUTH is off: whoever reaches this address on this machine is an admin')

  return {
    gate,
    edges: edges({ rates, addressOf }),
    login,
    onDecided: (decided: Parameters<typeof decisionFrom>[0]) => audit.record(decisionFrom(decided)),
    audit,
    tokens,
    grants,
    access: accessTo(fleet.index, () => grants.all()),
    allowances: allowancesOf(redis, fleet.keys, keys.macKey('allowances')),
    quotas: quotasOf(redis, fleet.keys, fleet.index),

    /** Where nobody could get in otherwise, somebody can from now on. */
    letIn: () => makeFirstToken(config, tokens, (line) => process.stderr.write(`${line}\n`)),

    async stop(): Promise<void> {
      rates.stop()
      await audit.stop()
    },
  }
}
