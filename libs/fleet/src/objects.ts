import type { ContainerRow } from '@deblox/actions/container-row'
import type { ImageRow } from '@deblox/actions/image-row'
import { labelNames } from '@deblox/actions/made'
import type { NetworkRow } from '@deblox/actions/network-row'
import type { VolumeRow } from '@deblox/actions/volume-row'

/** With every row: when its dock's worker saw it so, in ISO 8601. */
interface Observed {
  observedAt: string
}

/** A container as the index keeps it. */
export interface IndexedRow extends ContainerRow, Observed {}
/** An image, without its labels: there may be very many, and nobody looks for them. */
export interface IndexedImage extends Omit<ImageRow, 'labels'>, Observed {}
export interface IndexedVolume extends VolumeRow, Observed {}
export interface IndexedNetwork extends NetworkRow, Observed {}

/** What is indexed of a dock's engine, by the name of its kind. */
export interface IndexedObjects {
  container: IndexedRow
  image: IndexedImage
  volume: IndexedVolume
  network: IndexedNetwork
}

export type ObjectKind = keyof IndexedObjects

/** What tells a row from the others of its dock and kind. */
export const identityOf = {
  container: 'id',
  image: 'id',
  volume: 'name',
  network: 'id',
} as const satisfies { [Kind in ObjectKind]: keyof IndexedObjects[Kind] }

/** Where a row stands: on which dock, and under which id (a volume's is its name). */
export interface Place {
  id: string
  dock: string
}

type Check = (value: unknown) => boolean

const isText: Check = (value) => typeof value === 'string'
const isTextOrNull: Check = (value) => value === null || isText(value)
const isNumber: Check = (value) => typeof value === 'number'
const isFlag: Check = (value) => typeof value === 'boolean'
const isTexts: Check = (value) => Array.isArray(value) && value.every(isText)
const isLabels: Check = (value) => typeof value === 'object' && value !== null && Object.values(value).every(isText)
const orAbsent =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value)

const common = { dock: isText, createdAt: isText, observedAt: isText }

/** What each field of a row must be, for whoever reads it to do without further looks. */
const fields: { [Kind in ObjectKind]: Record<keyof IndexedObjects[Kind], Check> } = {
  container: {
    ...common,
    id: isText,
    name: isText,
    image: isText,
    state: isText,
    status: isText,
    owner: isTextOrNull,
    labels: isLabels,
    health: orAbsent(isText),
    ports: orAbsent(isTexts),
  },
  image: { ...common, id: isText, tags: isTexts, digests: isTexts, size: isNumber },
  volume: { ...common, name: isText, driver: isText, scope: isText, labels: isLabels },
  network: {
    ...common,
    id: isText,
    name: isText,
    driver: isText,
    scope: isText,
    internal: isFlag,
    labels: isLabels,
  },
}

/**
 * The row that stands at a place, or undefined where that cannot be read or speaks of another: a dock's Redis user may write what
 * he likes among his own rows, and that must neither stand in anybody's way nor send anything to another dock.
 */
export function readRow<Kind extends ObjectKind>(
  kind: Kind,
  json: string,
  { id, dock }: Place,
): IndexedObjects[Kind] | undefined {
  const row = parsed(json)
  if (row === undefined) return undefined
  // What its place says is not in a row; in one that somebody wrote by hand it may be, and another.
  const { [identityOf[kind]]: ownId = id, dock: ownDock = dock } = row
  if (ownId !== id || ownDock !== dock) return undefined
  Object.assign(row, { [identityOf[kind]]: id, dock })
  if (kind === 'container' && row['owner'] === undefined) row['owner'] = ownerIn(row['labels'])
  const checks: [string, Check][] = Object.entries(fields[kind])
  return checks.every(([name, check]) => check(row[name])) ? (row as unknown as IndexedObjects[Kind]) : undefined
}

/**
 * A row as it is stored: without what its place says, and at the end what says nothing new (see index-scripts.ts). A container's owner
 * is not told beside the label that tells him; the proof of that label is for his dock alone.
 */
export function rowText<Kind extends ObjectKind>(kind: Kind, row: IndexedObjects[Kind]): string {
  const {
    [identityOf[kind]]: _id,
    dock: _dock,
    status,
    observedAt,
    ...rest
  } = row as unknown as Record<string, unknown>
  const told: Record<string, unknown> = rest
  if (kind === 'container') {
    const { [labelNames.proof]: _proof, ...labels } = (row as IndexedRow).labels
    told['labels'] = labels
    if (told['owner'] === ownerIn(labels)) delete told['owner']
  }
  return JSON.stringify({ ...told, ...(status !== undefined && { status }), observedAt })
}

const ownerIn = (labels: unknown): unknown => (labels as Record<string, unknown> | null)?.[labelNames.owner] ?? null

/** A JSON object, or undefined for any other text. */
export function parsed(json: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
