import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { repository } from './support/repository'

const read = (path: string): string => readFileSync(join(repository, path), 'utf8')

const readers = [
  'libs/fleet/src/environment.ts',
  'apps/api/src/config.ts',
  'apps/api/src/config-oidc.ts',
  'apps/worker/src/config.ts',
]

/** The variables that a program reads: the fields of its schemas. */
const variablesIn = (text: string): string[] =>
  [...text.matchAll(/^ +([A-Z][A-Z0-9_]+): /gm)].map(([, name]) => name as string)

/** The variables of the README's table: in backticks in the first cell of a row. */
function variablesOfReadme(): string[] {
  const [, section = ''] = read('README.md').split('\n## Configuration\n')
  const cells = [...section.matchAll(/^\|([^|]+)\|/gm)].map(([, cell = '']) => cell)
  return cells.flatMap((cell) => [...cell.matchAll(/`([A-Z][A-Z0-9_]+)`/g)].map(([, name]) => name as string))
}

test('README.md has a row for every variable that a program reads, and for no other', () => {
  const known = new Set(readers.flatMap((path) => variablesIn(read(path))))
  expect(known.size).toBeGreaterThan(10)
  expect(variablesOfReadme().toSorted()).toEqual([...known].toSorted())
})
