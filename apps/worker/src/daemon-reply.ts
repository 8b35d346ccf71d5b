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
