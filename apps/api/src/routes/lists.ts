import { type Held, shows } from '@deblox/actions/access/decide'
import type { Identity } from '@deblox/actions/access/identity'
import { DebloxError } from '@deblox/actions/errors'
import { preview } from '@deblox/actions/explain'
import type { IndexedObjects, ObjectKind } from '@deblox/fleet/objects'
import { expected } from '@deblox/actions/messages'
import Joi from 'joi'
import type { Access } from '../access'
import { unlessKnown } from '../etag'
import { filterFields, filtersOf } from '../live/filters'
import type { FleetCopy } from '../live/fleet-copy'
import { list, type Position } from '../live/list'
import { listings } from '../live/listings'
import type { Tables } from '../live/tables'
import { pageFields, readCursor, writeCursor } from '../page'
import type { Route } from '../route'

/** A row of a fleet-wide list. `stale`: its dock's lease has ended, so this is the last known state. */
export type ListedRow<Kind extends ObjectKind> = IndexedObjects[Kind] & { stale: boolean }

export type ListedContainer = ListedRow<'container'>

/** What is filtered by, of each kind. */
const filters = {
  container: ['dock', 'owner', 'state', 'name', 'image', 'label', 'health'],
  image: ['dock', 'name'],
  volume: ['dock', 'name', 'driver', 'label'],
  network: ['dock', 'name', 'driver', 'scope', 'label'],
} as const satisfies Record<ObjectKind, readonly (keyof typeof filterFields)[]>

/** What a query says beside its filters. */
interface Query extends Record<string, unknown> {
  dock?: string[]
  sort: string
  facets?: string
  fields?: string
  limit: number
  cursor?: string
}

type Sees<Kind extends ObjectKind> = (identity: Identity) => Promise<(row: IndexedObjects[Kind]) => boolean>

/**
 * The lists of the whole fleet, from this replica's copy: no dock is asked, so none can delay them. Of containers everybody sees what
 * `access` shows him; the others belong to nobody, and who may list them sees all.
 */
export function listRoutes(copy: FleetCopy, access: Pick<Access, 'view'>): Route[] {
  const seesAll = async () => () => true
  return [
    listRoute(copy, 'container', 'containers', async (identity) => {
      const view = await access.view(identity)
      return (row: Held) => shows(view, row)
    }),
    listRoute(copy, 'image', 'images', seesAll),
    listRoute(copy, 'volume', 'volumes', seesAll),
    listRoute(copy, 'network', 'networks', seesAll),
  ]
}

function listRoute<Kind extends ObjectKind>(copy: FleetCopy, kind: Kind, plural: string, sees: Sees<Kind>): Route {
  const listing = listings[kind]
  const names = filters[kind] as readonly (keyof typeof filterFields)[]
  const fields = [...(listing.fields as readonly string[]), 'stale']
  const sorts = Object.keys(listing.sorts)
  return {
    method: 'GET',
    path: `/v1/${plural}`,
    tag: plural,
    summary: `List the ${plural} of the whole fleet, sorted by dock and name unless told`,
    request: Joi.object({
      ...Object.fromEntries(names.map((name) => [name, filterFields[name]])),
      sort: Joi.string()
        .valid(...sorts.flatMap((name) => [name, `-${name}`]))
        .default('dock')
        .description('By what they are sorted, `-` before it for the other way; then by dock and name'),
      facets: wordsOf(Object.keys(listing.facets), 'What is counted'),
      fields: wordsOf(fields, 'Only these fields of each row'),
      ...pageFields,
      cursor: Joi.string().max(maxCursor).description('The `nextCursor` of the page before, with the same `sort`'),
    }),
    answers: { 200: 'Rows, where the next page begins, and what `facets` counts', 304: 'As it was (`If-None-Match`)' },
    async handle(query, caller) {
      const { dock, sort, limit, cursor, ...more } = query as Query
      const facets = more.facets?.split(',') ?? []
      const wanted = more.fields?.split(',')
      const [tables, isSeen] = await Promise.all([copy.settled(), sees(caller.identity)])
      requireKnown(tables, dock)
      const counted = facets.includes('dock')
      const ask = {
        sort: sort.replace('-', ''),
        descending: sort.startsWith('-'),
        limit,
        sees: isSeen,
        // Where docks are counted those that are not asked for are, too.
        ...(dock && !counted && { docks: [...new Set(dock)].toSorted() }),
        ...(cursor !== undefined && { after: positionIn(cursor, sort) }),
        filters: filtersOf(counted ? query : { ...query, dock: undefined }),
        facets,
      }
      const found = list(tables, listing, ask)
      await copy.leases.confirm(found.rows.map(({ dock }) => dock))
      const items = found.rows.map((row) => chosen(listed(copy, kind, row), wanted))
      const nextCursor = found.next && writeCursor([sort, ...found.next])
      return unlessKnown({ items, nextCursor, ...(facets.length > 0 && { facets: found.facets }) }, caller)
    },
  }
}

/** Some of these words, with commas between them. */
const wordsOf = (words: readonly string[], what: string): Joi.StringSchema =>
  Joi.string()
    .max(256)
    .pattern(new RegExp(`^(${words.join('|')})(,(${words.join('|')}))*$`))
    .messages(expected(`some of ${words.join(', ')}, with commas between them`))
    .description(`${what}: some of ${words.join(', ')}, with commas between them`)

/** A row was seen when it was written, and again by every full list since. */
function listed<Kind extends ObjectKind>(
  { leases }: FleetCopy,
  kind: Kind,
  row: IndexedObjects[Kind],
): ListedRow<Kind> {
  const listedAt = leases.listedAt(row.dock, kind)
  const observedAt = listedAt !== null && listedAt > row.observedAt ? listedAt : row.observedAt
  return Object.assign({}, row, { observedAt, stale: !leases.isLive(row.dock) })
}

const chosen = (row: object, fields: readonly string[] | undefined): object =>
  fields ? Object.fromEntries(Object.entries(row).filter(([name]) => fields.includes(name))) : row

function positionIn(cursor: string, sort: string): Position {
  const [sorted, value = '', dock = '', name = '', id = ''] = readCursor(cursor, 5)
  if (sorted === sort) return [value, dock, name, id]
  throw new DebloxError('invalid_request', `cursor: expected one of a list sorted by ${sort}, got ${preview(sorted)}`)
}

/** What a dock calls its own may be three times 256 characters of which JSON makes 6 each. */
const maxCursor = 8_192

function requireKnown(tables: Tables, docks: readonly string[] = []): void {
  const unknown = docks.find((dock) => !tables.knows(dock))
  if (unknown === undefined) return
  throw new DebloxError('dock_not_found', `dock: expected a registered dock (see GET /v1/docks), got ${unknown}`)
}
