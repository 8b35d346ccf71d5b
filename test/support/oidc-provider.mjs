// A real authority in a process of its own: what it is like comes from its environment, as JSON.
import { createServer } from 'node:http'
import { Provider } from 'oidc-provider'

const { port, keys, audience, redirectUri, groups, lifeSeconds } = JSON.parse(process.env.OIDC_PROVIDER)
const issuer = `http://127.0.0.1:${port}`
const [{ alg }] = keys

const provider = new Provider(issuer, {
  jwks: { keys },
  cookies: { keys: ['not a secret: it guards logins of tests'] },
  claims: { openid: ['sub', 'groups'] },
  findAccount: (_context, accountId) => ({
    accountId,
    claims: () => ({ sub: accountId, groups: groups[accountId] ?? [] }),
  }),
  extraTokenClaims: (_context, token) => ({ groups: groups[token.accountId ?? token.clientId] ?? [] }),
  pkce: { required: () => true },
  features: {
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      getResourceServerInfo: (_context, resource) => ({
        scope: 'deblox',
        audience: resource,
        accessTokenTTL: lifeSeconds,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg } },
      }),
    },
  },
  enabledJWA: { idTokenSigningAlgValues: [alg] },
  clients: [
    {
      client_id: 'deblox',
      client_secret: 'of-the-test',
      redirect_uris: [redirectUri],
      id_token_signed_response_alg: alg,
    },
    {
      client_id: 'robot',
      client_secret: 'of-the-robot',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: alg,
    },
  ],
})

const server = createServer(provider.callback())
server.listen(port, '127.0.0.1', () => process.stdout.write(`an authority at ${issuer} for ${audience}\n`))
process.on('SIGTERM', () => {
  server.close()
  server.closeAllConnections()
})
