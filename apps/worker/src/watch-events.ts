import type { ObjectKind } from '@deblox/fleet/objects'
import { fullId } from '@deblox/actions/schemas'

/**
 * What changes a row, by the kind that Docker tells it of. Others, such as exec_start of every health check or what is mounted
 * and connected at every start, say nothing about it. The daemon is asked for all of these names of all of these kinds.
 */
const telling: Record<ObjectKind, string[]> = {
  // A commit makes an image, of which Docker says nothing more where it has no name.
  container: [
    'create',
    'start',
    'die',
    'destroy',
    'rename',
    'pause',
    'unpause',
    'update',
    'oom',
    'health_status',
    'commit',
  ],
  image: ['create', 'pull', 'import', 'load', 'tag', 'untag', 'delete', 'prune'],
  volume: ['create', 'destroy', 'prune'],
  network: ['create', 'destroy', 'remove', 'update', 'prune'],
}

export const eventFilters = {
  type: Object.keys(telling) as ObjectKind[],
  event: [...new Set(Object.values(telling).flat())],
}

/** What an event says is other than before: one container, or something of another kind. */
export type Told = { kind: 'container'; id: string } | { kind: Exclude<ObjectKind, 'container'> }

/** No event of Docker's is near this long, in characters: a longer line is none. */
const maxLineLength = 2 ** 20

/** What Docker's event stream tells: a JSON document a line, cut anywhere. */
export async function* told(stream: AsyncIterable<Buffer>): AsyncGenerator<Told> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > maxLineLength) throw new Error(`expected events of at most ${maxLineLength} characters`)
    for (const line of lines) {
      const what = toldBy(JSON.parse(line))
      if (what !== undefined) yield what
    }
  }
}

interface Event {
  Type?: unknown
  Action?: unknown
  Actor?: { ID?: unknown } | null
}

function toldBy(event: unknown): Told | undefined {
  const { Type, Action, Actor } = (event ?? {}) as Event
  if (Type === 'image' || Type === 'volume' || Type === 'network') return { kind: Type }
  if (Action === 'commit') return { kind: 'image' }
  const id = Actor?.ID
  // Anything else would become part of a path on the daemon.
  return typeof id === 'string' && fullId.test(id) ? { kind: 'container', id } : undefined
}
