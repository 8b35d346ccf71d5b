import { hostname, owner } from '@deblox/actions/schemas'
import Joi from 'joi'
import type { Filter } from './list'
import { likeness } from './patterns'

/** One value, or several by naming it again. */
const several = (schema: Joi.Schema): Joi.ArraySchema => Joi.array().items(schema).single().min(1).max(100)

const word = Joi.string().max(256)

const like = (what: string) => word.description(`${what} has this in it, or is like this where there is \`*\` or \`?\``)

export const health = ['starting', 'healthy', 'unhealthy', 'none'] as const

/** What a list can be filtered by, as fields of its query; those that may be given several times want any of them, labels all. */
export const filterFields = {
  dock: several(hostname).description('Only of these docks'),
  owner: several(owner).description('Only of these owners'),
  state: several(word).description('In one of these states, by Docker’s words'),
  driver: several(word).description('With one of these drivers'),
  scope: several(word).description('Of one of these scopes'),
  health: several(Joi.string().valid(...health)).description('With this health; `none` where nothing is checked'),
  name: like('Whose name'),
  image: like('Whose image'),
  label: several(word).description('That carries this label: `name` or `name=value`; all of them'),
}

type Row = Partial<{
  dock: string
  owner: string | null
  state: string
  driver: string
  scope: string
  health: string
  name: string
  tags: string[]
  image: string
  labels: Record<string, string>
}>

/** What is to be one of the values that are wanted. */
const oneOf: Record<string, (row: Row) => string | null | undefined> = {
  dock: ({ dock }) => dock,
  owner: ({ owner }) => owner,
  state: ({ state }) => state,
  driver: ({ driver }) => driver,
  scope: ({ scope }) => scope,
  health: ({ health }) => health ?? 'none',
}

/** What those fields want of a row. */
export function filtersOf(query: Record<string, unknown>): Filter<Row>[] {
  const filters: Filter<Row>[] = []
  for (const [facet, valueOf] of Object.entries(oneOf)) {
    const wanted = query[facet] as string[] | undefined
    if (!wanted) continue
    const any = new Set<string | null | undefined>(wanted)
    filters.push({ facet, passes: (row) => any.has(valueOf(row)) })
  }
  const { name, image, label } = query as { name?: string; image?: string; label?: string[] }
  if (name !== undefined) {
    const isLike = likeness(name)
    // An image has as many names as tags.
    filters.push({ passes: (row) => (row.tags ? row.tags.some(isLike) : isLike(row.name ?? '')) })
  }
  if (image !== undefined) {
    const isLike = likeness(image)
    filters.push({ facet: 'image', passes: (row) => isLike(row.image ?? '') })
  }
  for (const wanted of label ?? []) filters.push({ passes: carries(wanted) })
  return filters
}

/** Whether a row has a label: `name`, or `name=value`. */
export function carries(label: string): (row: Pick<Row, 'labels'>) => boolean {
  const [, name = '', value] = /^([^=]*)(?:=([^]*))?$/.exec(label) ?? []
  return ({ labels = {} }) => Object.hasOwn(labels, name) && (value === undefined || labels[name] === value)
}
