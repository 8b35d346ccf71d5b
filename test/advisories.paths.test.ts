import { useGuardedApi } from './support/guarded-api'
import { requestsTo } from './support/registry-requests'

/** Paths that lead elsewhere, in all that the API serves. */

const api = useGuardedApi()
const registry = requestsTo(api)

describe('GHSA-w8rm-ccw3-9jpc: a name with ../ in it led elsewhere where nobody had looked at it', () => {
  const outside = [
    '..',
    '.',
    '...',
    '%2e%2e',
    '.%2e',
    '..%2f',
    '..%2f..%2fetc%2fpasswd',
    '%2e%2e%2f%2e%2e%2fv1%2fdocks',
    'mine%2f..%2f..%2fx',
    '%2fetc%2fpasswd',
    '..%5c..%5cx',
    'c:%5cx',
    '%252e%252e%252fx',
    '..;%2fx',
    '..%c0%afx',
    '%c0%ae%c0%ae',
    '%ff',
    '%',
    '%00',
    'mine%00',
    'mine%00.json',
    '%0d%0aX-Evil:%201',
    'mine%3fall=1',
    'mine%23',
    '%E2%80%AEmine',
    '%20',
    'mine%20',
    '~root',
    '__proto__',
    '$(id)',
    'x'.repeat(4_000),
  ]
  /** An owner is a name and nothing else: what is visible ASCII, dots and slashes too, stays one name. */
  const isName = (text: string): boolean => {
    try {
      return /^[\x21-\x7e]{1,128}$/.test(decodeURIComponent(text))
    } catch {
      return false
    }
  }

  test('in every parameter of every route, with all else right: 400 or 404, and nothing is done', async () => {
    const before = await registry.everything()
    const wrong: string[] = []
    let cases = 0
    for (const { name, method, path, fields, body, upgrades } of registry.served()) {
      for (const field of fields) {
        for (const value of outside) {
          if (field === 'owner' && isName(value)) continue
          const asked = registry.fill(path, { [field]: value })
          const { status, text } = await registry.raw(method, asked, api.headersOf('admin'), JSON.stringify(body))
          cases++
          const { code } = JSON.parse(text) as { code?: string }
          const isRefused = [400, 404, ...(upgrades ? [426] : [])].includes(status) && code !== 'internal'
          if (!isRefused) wrong.push(`${name}: ${field} ${value.slice(0, 40)}: ${status} ${code}`)
        }
      }
    }
    expect(wrong).toEqual([])
    expect(cases).toBeGreaterThan(500)
    expect(await registry.everything()).toEqual(before)
  }, 30_000)

  test('an owner with dots and slashes is one name, and not a place', async () => {
    for (const owner of outside.filter(isName)) {
      const { status, text } = await registry.raw('GET', `/v1/owners/${owner}`, api.headersOf('admin'))
      const told = JSON.parse(text) as { owner?: string; containers?: number }
      expect([owner, status, told.owner, told.containers]).toEqual([owner, 200, decodeURIComponent(owner), 0])
    }
  })

  test('as a path of its own it leads to no route but the one that is written there', async () => {
    for (const path of [
      '/healthz/../v1/jobs',
      '/healthz/%2e%2e/v1/jobs',
      '/healthz%2f..%2fv1%2fjobs',
      '/docs/../v1/jobs',
      '//v1/jobs',
      '/v1//jobs',
      '/v1/./jobs',
      '/v1%2fjobs',
      '/openapi.json/../v1/jobs',
      '/v1/jobs%00',
    ]) {
      const { status } = await registry.raw('GET', path, api.headersOf('admin'))
      expect([path, [400, 404].includes(status)]).toEqual([path, true])
    }
  })
})
