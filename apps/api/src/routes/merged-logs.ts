import { labelNames } from '@deblox/actions/made'
import { templateName } from '@deblox/actions/container-spec'
import { DebloxError } from '@deblox/actions/errors'
import { expected } from '@deblox/actions/messages'
import { hostname } from '@deblox/actions/schemas'
import type { IndexedRow } from '@deblox/fleet/index'
import Joi from 'joi'
import { requireUse } from '../access'
import type { Route } from '../route'
import { preferred } from '../streams/accepts'
import { type AskedLogs, atTimes, logFields } from '../streams/asked-logs'
import { logForm, logTypes } from '../streams/log-forms'
import { MergedLogs, mostContainers } from '../streams/merged'
import type { StreamDesk } from '../streams/opened'
import { whileAllowed } from '../streams/right'
import { speak } from '../streams/speak'

interface Choice {
  label?: string[]
  template?: string
  dock?: string[]
}

const label = Joi.string()
  .max(4_096)
  .pattern(/^[^=\0]/)
  .messages(expected('the name of a label, or NAME=value'))

/** What is asked about each of the containers, beside the route's own. */
const permission = 'read-logs'

/** What several containers log. */
export function mergedLogsRoute(desk: StreamDesk): Route {
  return {
    method: 'GET',
    path: '/v1/logs',
    tag: 'containers',
    summary: 'Read what several containers log, put together by its time: of a label, a template, or a dock',
    request: Joi.object({
      label: Joi.array().items(label).single().max(20).description('Those that carry it: `NAME` or `NAME=value`'),
      template: templateName.description('Those that were made from that template'),
      dock: Joi.array().items(hostname).single().max(100).description('Those on one of these docks'),
      ...logFields,
    }).or('label', 'template', 'dock'),
    answers: { 200: 'The lines, as they come' },
    async handle(fields, caller) {
      const asked = atTimes(fields as unknown as AskedLogs & Choice, desk.fleet.clock.now())
      const { identity, about } = caller
      about.object = textOf(asked)
      requireUse(identity, permission)
      const signal = whileAllowed(caller, async (now) => requireUse(now, permission), desk.pace?.right)
      const logs = new MergedLogs(desk, caller, asked, matching(asked), signal)
      logs.takePlaces(1)
      const { his } = await logs.meant()
      if (his.length > mostContainers) {
        throw new DebloxError(
          'invalid_request',
          `label: expected at most ${mostContainers} containers at a time, got ${his.length}: name more labels, or docks`,
        )
      }
      logs.takePlaces(his.length)
      const form = logForm(preferred(caller.header('accept'), logTypes), { timestamps: asked.timestamps })
      return {
        status: 200,
        headers: form.headers,
        stream: (out) => speak(out, form, signal, (say) => logs.write(his, form, say)),
      }
    },
  }
}

const textOf = ({ label = [], template, dock = [] }: Choice): string =>
  [
    ...label.map((one) => `label:${one}`),
    ...(template === undefined ? [] : [`template:${template}`]),
    ...dock.map((one) => `dock:${one}`),
  ]
    .join(' ')
    .slice(0, 1_000)

function matching({ label = [], template, dock }: Choice): (row: IndexedRow) => boolean {
  const wanted = label.map((text): [string, string | undefined] => {
    const at = text.indexOf('=')
    return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)]
  })
  const docks = dock && new Set(dock)
  return ({ labels, dock: where }) =>
    (docks?.has(where) ?? true) &&
    (template === undefined || labels[labelNames.template] === template) &&
    wanted.every(([name, value]) => Object.hasOwn(labels, name) && (value === undefined || labels[name] === value))
}
