import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { policyOf } from './access/policies'
import type { Action } from './define-action'

const folder = join(__dirname, 'actions')

/**
 * All actions, by name. A file in `actions/` is an action: it exports exactly one, and is named after it. Reading the
 * folder is what lets a new action be one file and its test.
 */
export const actions: ReadonlyMap<string, Action> = new Map(
  readdirSync(folder)
    .filter((file) => /^[a-z-]+\.(js|ts)$/.test(file))
    .sort()
    .map((file) => load(file))
    .map((action) => [action.name, action]),
)

const byAnyName = new Map<string, Action>()
for (const action of actions.values()) {
  for (const name of [action.name, ...action.aliases]) {
    if (byAnyName.has(name)) throw new Error(`actions: expected each name once, got ${name} twice`)
    byAnyName.set(name, action)
  }
}

/** The action of that name or older name. */
export const findAction = (name: string): Action | undefined => byAnyName.get(name)

function load(file: string): Action {
  // oxlint-disable-next-line typescript/no-require-imports -- the folder is the list; see above
  const exported = Object.values(require(join(folder, file)) as Record<string, unknown>)
  const [action] = exported as [Action]
  const expected = file.replace(/\.(js|ts)$/, '')
  if (exported.length !== 1 || action.name !== expected) {
    throw new Error(`actions/${file}: expected exactly one export, an action named ${expected}`)
  }
  // Nobody could ask for it, or anybody.
  policyOf(action.name)
  return action
}
