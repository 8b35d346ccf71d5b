import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { repository } from './repository'

/** One way out of a container, or into what is another's, that somebody somewhere has tried. */
export interface Escape {
  /** The file that it is from: its kind. */
  kind: string
  what: string
  /** The field that a refusal under `restricted` names. */
  field: string
  /** Docker's own document, but for the image. */
  body: Record<string, unknown>
  /** The same as fields of a spec, where one can say it. */
  spec?: Record<string, unknown>
}

const folder = join(repository, 'test/escapes')

/** What stands in the files for the folder of a test's canary. */
const placeholder = '@canary'

/** All of them. `canary` is the folder on the host that none of them may reach. */
export function escapes(canary = '/canary'): Escape[] {
  return readdirSync(folder)
    .sort()
    .flatMap((file) => {
      const text = readFileSync(join(folder, file), 'utf8').replaceAll(placeholder, canary)
      return (JSON.parse(text) as Omit<Escape, 'kind'>[]).map(({ body, ...rest }) => ({
        kind: file.replace(/\.json$/, ''),
        ...rest,
        body: { Image: 'busybox', ...body },
      }))
    })
}
