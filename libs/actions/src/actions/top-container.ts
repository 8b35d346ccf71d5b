import Joi from 'joi'
import { defineAction, ok } from '../define-action'
import { expected } from '../messages'
import { containerId } from '../schemas'
import { withoutUndefined } from '../without-undefined'

interface TopParams {
  id: string
  psArgs?: string
}

/**
 * Docker runs the host's own `ps` with these words, as root: only such as choose what is told of the container's processes.
 * Others show their environment, where secrets stand: `e`, and `-fe -o pid` too, as `ps` reads again without the dashes what
 * it cannot read with them. So there are no two of these at once.
 */
const known = 'aux|axu|ax|-[AeFfl]{1,4}'
const column =
  'pid|ppid|pgid|sid|user|uid|group|gid|args|cmd|command|comm|etime|etimes|time|cputime|start|lstart|stat|state|s|' +
  'tty|nice|ni|pri|psr|cls|nlwp|wchan|rss|rsz|vsz|sz|%cpu|pcpu|c|%mem|pmem'
const psWords = new RegExp(`^(?:${known}|-[Ae]?o ?(?:${column})(?:,(?:${column})){0,30})$`)

export const topContainer = defineAction({
  name: 'top-container',
  summary: 'List the processes of a container',
  target: 'container',
  effect: 'read',
  http: 'GET /v1/containers/:id/top',
  params: Joi.object<TopParams, true>({
    id: containerId.required(),
    psArgs: Joi.string()
      .max(500)
      .pattern(psWords)
      .messages(expected('aux, -ef or the like, or columns such as "-o pid,user,args"'))
      .description('What `ps` is to show: `aux`, `-ef` or the like, or columns such as `-o pid,user,args`'),
  }),
  timeoutMs: 30_000,
  async run({ id, psArgs }, { docker, signal }) {
    return ok(await docker.getContainer(id).top(withoutUndefined({ ps_args: psArgs, abortSignal: signal })))
  },
})
