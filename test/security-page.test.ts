import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { policies, roles } from '@deblox/actions/access/policies'
import { repository } from './support/repository'

const page = readFileSync(join(repository, 'docs/security.md'), 'utf8')

/** The table of who may do what as the page should have it: what goes by the same roles is one row. */
function rolesTable(): string[] {
  const rows = new Map<string, string[]>()
  for (const [permission, policy] of policies) {
    const marks = roles.map((role) => (policy.roles.includes(role) ? 'yes' : ''))
    const rest = `| ${[policy.reach, ...marks].join(' | ')} |`
    rows.set(rest, [...(rows.get(rest) ?? []), `\`${permission}\``])
  }
  const head = ['what', 'reach', ...roles]
  return [
    `| ${head.join(' | ')} |`,
    `| ${head.map(() => '---').join(' | ')} |`,
    ...[...rows].map(([rest, permissions]) => `| ${permissions.join(', ')} ${rest}`),
  ]
}

/** The first table below a heading, its cells without the blanks that align them. */
function tableBelow(heading: string): string[] {
  const [, section = ''] = page.split(`\n## ${heading}\n`)
  const [table = ''] = /(^\|.*\n)+/m.exec(section) ?? []
  const lines = table.trimEnd().split('\n')
  return lines.map((line) =>
    line
      .replace(/ *\| */g, ' | ')
      .replace(/-+/g, (dashes) => (dashes.length > 2 ? '---' : dashes))
      .trim(),
  )
}

test('docs/security.md says of every permission what access/policies.ts says', () => {
  const tidy = (line: string): string => line.replace(/ *\| */g, ' | ').trim()
  expect(tableBelow('Roles')).toEqual(rolesTable().map(tidy))
})

test('docs/security.md names every profile, and every variable that the pages of a dock’s owner need', () => {
  for (const name of ['restricted', 'baseline', 'privileged', 'DEBLOX_DOCK_POLICY', 'DEBLOX_API_KEYS']) {
    expect(page).toContain(`\`${name}\``)
  }
})
