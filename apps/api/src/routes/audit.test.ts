import { validate } from '@deblox/actions/explain'
import type { AuditRange } from '@deblox/fleet/audit-store'
import { caller } from '../testing/desk-double'
import { auditRoute } from './audit'

const asked: AuditRange[] = []
const route = auditRoute({
  page: async (range) => {
    asked.push(range)
    return { lines: [], nextCursor: null }
  },
})

async function ask(query: object): Promise<AuditRange | undefined> {
  await route.handle(validate(route.request, query, { convert: true }), caller())
  return asked.at(-1)
}

test('times are asked of Redis in its milliseconds', async () => {
  const query = { since: '2026-01-01T00:00:00Z', until: '2026-01-01T00:00:01Z' }
  await expect(ask(query)).resolves.toMatchObject({ from: '1767225600000-0', to: '1767225601000' })
})

test.each(['1960-01-01T00:00:00Z', '-000001-01-01T00:00:00Z', '1969-12-31'])(
  '%s is as the beginning of 1970: nothing of Redis’s is older',
  async (time) => {
    await expect(ask({ since: time })).resolves.toMatchObject({ from: '0-0', to: '+' })
    await expect(ask({ until: time })).resolves.toMatchObject({ from: '-', to: '0' })
  },
)

test.each(['since', 'until'])('%s: a time that is none, or a week, is refused', async (field) => {
  for (const time of ['2026-W02', 'today', '2026-01-01T25:00Z']) {
    await expect(ask({ [field]: time })).rejects.toMatchObject({ code: 'invalid_request', status: 400 })
  }
})
