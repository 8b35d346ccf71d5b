import { newToken } from '@deblox/fleet/token-text'
import type { OidcSettings } from '../config-oidc'
import { makeFirstToken } from './first-token'

const oidc: OidcSettings = { issuer: 'https://id.example.com', teamsClaim: 'groups', roles: [] }

function start(config: Partial<Parameters<typeof makeFirstToken>[0]>) {
  const printed: string[] = []
  const { token } = newToken()
  const createFirst = jest.fn(async (announce: (text: string) => void) => {
    announce(token)
    return undefined
  })
  const made = makeFirstToken({ AUTH: 'on', ...config }, { createFirst }, (line) => printed.push(line))
  return { made, printed, token, createFirst }
}

test('where nobody could get in otherwise, a token is printed in one line', async () => {
  const { made, printed, token } = start({})
  await made
  expect(printed).toEqual([expect.stringContaining(token)])
  expect(printed[0]).not.toContain('\n')
})

test.each([
  ['there is one in the environment', { DEBLOX_ADMIN_TOKEN: newToken().token }],
  ['there is an authority', { oidc }],
  ['nobody needs one', { AUTH: 'off' as const }],
])('none is made where %s', async (_, config) => {
  const { made, printed, createFirst } = start(config)
  await made
  expect(createFirst).not.toHaveBeenCalled()
  expect(printed).toEqual([])
})
