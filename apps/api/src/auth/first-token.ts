import type { Tokens } from '@deblox/fleet/tokens'
import type { ApiConfig } from '../config'

const days = 24 * 60 * 60 * 1000

/** The first token is for making others. */
export const firstTokenLifeMs = 30 * days

/**
 * Makes an admin's token where nobody could get in otherwise: no token was ever made, none is in the environment, and there
 * is no authority. It is printed once, and not kept: only its digest is.
 */
export async function makeFirstToken(
  { AUTH, DEBLOX_ADMIN_TOKEN, oidc }: Pick<ApiConfig, 'AUTH' | 'DEBLOX_ADMIN_TOKEN' | 'oidc'>,
  tokens: Pick<Tokens, 'createFirst'>,
  print: (line: string) => void,
): Promise<void> {
  if (AUTH === 'off' || DEBLOX_ADMIN_TOKEN !== undefined || oidc) return
  await tokens.createFirst(
    (token) => print(`deblox api: first start: this admin token is shown once, and is good for 30 days: ${token}`),
    firstTokenLifeMs,
  )
}
