import * as client from 'openid-client'
import type { OidcSettings } from '../config-oidc'
import { askAuthority, once } from './authority'
import { authorityAway, unauthenticated } from './authenticated'
import type { LoginSecrets } from './login-cookie'

/** We, as the authority sees us: authorization code with PKCE, and nothing else. */
export interface RelyingParty {
  /** Where to send a browser, and what its return is checked against. */
  begin(): Promise<{ url: URL; secrets: LoginSecrets }>
  /** The claims of who has come back with this path and query. Throws `unauthenticated`. */
  finish(pathAndQuery: string, secrets: LoginSecrets): Promise<Record<string, unknown>>
}

/** Throws `unauthenticated` with status 503 where the authority does not answer. */
export function openRelyingParty({ issuer, teamsClaim, client: us }: OidcSettings): RelyingParty {
  if (!us) throw new Error('expected an OIDC client, got none')
  const redirectUri = new URL('/auth/callback', us.publicUrl).href

  const configuration = once(async () => {
    const server = new URL(issuer)
    const auth = us.secret === undefined ? client.None() : client.ClientSecretBasic(us.secret)
    const found = await client.discovery(server, us.id, {}, auth, {
      [client.customFetch]: ask,
      // The ID token's signature is checked as well, not only that it came from there.
      execute: [
        client.enableNonRepudiationChecks,
        ...(server.protocol === 'http:' ? [client.allowInsecureRequests] : []),
      ],
    })
    if (found.serverMetadata().issuer !== issuer) throw new Error(`expected ${issuer} as issuer`)
    return found
  })

  const configured = () =>
    configuration().catch((error: unknown) => {
      throw authorityAway(`login: expected ${issuer} to describe itself, got no answer that can be used`, error)
    })

  return {
    async begin() {
      const found = await configured()
      const secrets: LoginSecrets = {
        state: client.randomState(),
        nonce: client.randomNonce(),
        verifier: client.randomPKCECodeVerifier(),
      }
      const url = client.buildAuthorizationUrl(found, {
        redirect_uri: redirectUri,
        scope: us.scope,
        state: secrets.state,
        nonce: secrets.nonce,
        code_challenge: await client.calculatePKCECodeChallenge(secrets.verifier),
        code_challenge_method: 'S256',
      })
      return { url, secrets }
    },

    async finish(pathAndQuery, { state, nonce, verifier }) {
      const found = await configured()
      try {
        const tokens = await client.authorizationCodeGrant(found, new URL(pathAndQuery, us.publicUrl), {
          expectedState: state,
          expectedNonce: nonce,
          pkceCodeVerifier: verifier,
          idTokenExpected: true,
        })
        const claims: Record<string, unknown> = { ...tokens.claims() }
        if (teamsClaim in claims || found.serverMetadata().userinfo_endpoint === undefined) return claims
        // Many authorities tell groups only there.
        return { ...(await client.fetchUserInfo(found, tokens.access_token, String(claims['sub']))), ...claims }
      } catch (error) {
        throw unauthenticated(`login: expected ${issuer} to say who you are, got ${reasonOf(error)}`, error)
      }
    },
  }
}

const ask: client.CustomFetch = (url, { body, headers, method, signal }) =>
  askAuthority(url, {
    headers,
    method,
    ...(body !== null && body !== undefined && { body: body as NonNullable<RequestInit['body']> }),
    ...(signal && { signal }),
  })

/** The authority's own word for it where it has one, and where that is a word. */
function reasonOf(error: unknown): string {
  const said = error instanceof Error && 'error' in error ? error.error : undefined
  return typeof said === 'string' && /^[a-z_]{1,60}$/.test(said) ? said : 'an answer that does not belong to this login'
}
