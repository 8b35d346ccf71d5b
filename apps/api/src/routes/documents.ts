import { DebloxError } from '@deblox/actions/errors'
import { preview, validate } from '@deblox/actions/explain'
import { actions, findAction } from '@deblox/actions/registry'
import Joi from 'joi'
import type { Ask } from '../ask'
import type { Route } from '../route'
import { asDocument, readAsDocument } from '../shape'
import type { Submit } from '../submit'

/** The original's way in: any action as one JSON document. */
export function documentRoute(submit: Submit, ask: Ask): Route {
  return {
    method: 'POST',
    path: '/',
    tag: 'documents',
    summary: 'Carry out a document: {"action": …} and the fields of that action',
    request: Joi.object({ action: Joi.string().required().description('What to do') }).unknown(),
    answers: {
      200: "The daemon's answer in an envelope, or `containers`, an envelope for each of the `instances`",
      202: 'Accepted; not finished within the time that `Prefer: wait` gave. `Location` is the job',
      204: 'Done (register, unregister)',
    },
    async handle({ action: name, ...fields }, caller) {
      const action = findAction(name as string)
      if (!action) {
        const known = [...actions.keys()].join(', ')
        throw new DebloxError('unknown_action', `action: expected one of ${known}; got ${preview(name)}`)
      }
      const request = validate<object>(action.request, fields)
      if (action.effect === 'read') return readAsDocument(await ask(action, request, caller))
      return asDocument(action, await submit(action, request, caller))
    },
  }
}
