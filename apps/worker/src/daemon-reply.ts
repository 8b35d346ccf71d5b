import { fullId } from '@deblox/actions/schemas'

/** What a path answers when all goes well. */
interface Kind {
  path: RegExp
  what: string
  /** The largest answer that is read, in bytes. */
  limit: number
  is: (answer: unknown) => boolean
}

const MB = 2 ** 20

/** Ten thousand containers take some 15 MB. */
const listLimit = 32 * MB
const otherLimit = 4 * MB

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const hasId = (value: unknown): boolean => isObject(value) && typeof value['Id'] === 'string'
const hasFullId = (value: unknown): boolean =>
  isObject(value) && typeof value['Id'] === 'string' && fullId.test(value['Id'])
const isListOf = (row: (value: unknown) => boolean) => (value: unknown) => Array.isArray(value) && value.every(row)

/** A row without an id makes its list a partial one: nothing may be concluded from what is not in it. */
const kinds: readonly Kind[] = [
  { path: /^\/_ping$/, what: 'anything', limit: 1024, is: () => true },
  { path: /^\/containers\/json$/, what: 'a list of containers', limit: listLimit, is: isListOf(hasFullId) },
  { path: /^\/images\/json$/, what: 'a list of images', limit: listLimit, is: isListOf(hasId) },
  { path: /^\/containers\/create$/, what: 'the id of a container', limit: otherLimit, is: hasFullId },
  { path: /^\/containers\/[^/]+\/json$/, what: 'a container', limit: otherLimit, is: isContainer },
  { path: /^\/images\/.+\/json$/, what: 'an image', limit: otherLimit, is: hasId },
  { path: /^\/containers\/[^/]+\/top$/, what: 'processes', limit: otherLimit, is: isTop },
  { path: /^\/containers\/[^/]+\/changes$/, what: 'a list of changes, or null', limit: listLimit, is: isChanges },
  { path: /^\/containers\/[^/]+\/exec$/, what: 'the id of an exec', limit: otherLimit, is: hasFullId },
  { path: /^\/exec\/[^/]+\/json$/, what: 'an exec', limit: otherLimit, is: isExec },
  { path: /^\/info$/, what: 'an object', limit: otherLimit, is: isObject },
  { path: /^\/version$/, what: 'versions', limit: otherLimit, is: isVersion },
]

/** Other paths answer with an object, a list, or nothing at all. */
const other: Kind = {
  path: /^/,
  what: 'JSON, or nothing',
  limit: otherLimit,
  is: (answer) => isObject(answer) || Array.isArray(answer),
}

/** What the daemon is expected to answer there. */
export const kindOf = (path: string): Kind => kinds.find((kind) => kind.path.test(path)) ?? other

function isContainer(answer: unknown): boolean {
  if (!isObject(answer) || !hasFullId(answer)) return false
  const { State, Config } = answer
  return isObject(State) && typeof State['Status'] === 'string' && isObject(Config) && isLabels(Config['Labels'])
}

const isLabels = (labels: unknown): boolean => labels === undefined || labels === null || isObject(labels)

function isVersion(answer: unknown): boolean {
  return isObject(answer) && typeof answer['Version'] === 'string' && typeof answer['ApiVersion'] === 'string'
}

function isTop(answer: unknown): boolean {
  return isObject(answer) && Array.isArray(answer['Titles']) && Array.isArray(answer['Processes'])
}

/** Null where nothing has changed. */
function isChanges(answer: unknown): boolean {
  return answer === null || isListOf((row) => isObject(row) && typeof row['Path'] === 'string')(answer)
}

/** Its exit code is null while it runs. */
function isExec(answer: unknown): boolean {
  if (!isObject(answer) || typeof answer['Running'] !== 'boolean') return false
  return answer['ExitCode'] === null || typeof answer['ExitCode'] === 'number'
}
