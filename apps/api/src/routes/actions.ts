import type { Permission } from '@deblox/actions/access/policies'
import type { Action } from '@deblox/actions/define-action'
import { actions } from '@deblox/actions/registry'
import type { Ask } from '../ask'
import type { Route } from '../route'
import { asRest, readAsRest } from '../shape'
import type { Submit } from '../submit'

/** One route for each action, from its definition. */
export function actionRoutes(submit: Submit, ask: Ask): Route[] {
  return [...actions.values()].map((action) => ({
    method: action.method,
    path: action.path,
    // The registry has seen to it that there is such an entry.
    permission: action.name as Permission,
    tag: action.path.split('/')[2] ?? 'actions',
    summary: action.summary,
    request: action.request,
    answers: answersOf(action),
    async handle(fields, caller) {
      if (action.effect === 'read') return readAsRest(action, await ask(action, fields, caller))
      return asRest(action, await submit(action, fields, caller))
    },
  }))
}

function answersOf(action: Action): Record<number, string> {
  if (action.effect === 'read') return { 200: "The daemon's answer" }
  const accepted = { 202: 'Accepted; not finished within the time that `Prefer: wait` gave. `Location` is the job' }
  if (action.creates) return { 201: 'Created: the job, and the containers that it made', ...accepted }
  if (action.silent) return { 204: 'Done', ...accepted }
  return { 200: 'Done: the job', ...accepted }
}
