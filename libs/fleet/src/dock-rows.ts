export type DockState = 'ready' | 'unreachable' | 'daemon-unhealthy' | 'drained'

/** What a worker tells of its daemon's machine. */
export interface EngineFacts {
  engineVersion: string
  apiVersion: string
  os: string
  cpus: number
  /** Bytes. */
  memory: number
}

export interface Dock extends Partial<EngineFacts> {
  hostname: string
  state: DockState
  labels: Record<string, string>
  drain: boolean
  /** When its worker was last heard of, by Redis's clock; null if never. */
  lastSeen: string | null
  /** When its containers were last listed in full; null if never. */
  listedAt: string | null
}

/** A dock of what its hash says, and of whether a worker has its lease. What cannot be read is as good as not told. */
export function dockFrom(hostname: string, fields: Record<string, string>, leased: boolean): Dock {
  const drain = fields['drain'] === '1'
  const engine = objectIn(fields['engine']) as EngineFacts
  return {
    hostname,
    state: stateOf(leased, fields['daemon'] === 'unhealthy', drain),
    labels: objectIn(fields['labels']) as Record<string, string>,
    drain,
    ...engine,
    lastSeen: isoTime(fields['seen']),
    listedAt: isoTime(fields['listed']),
  }
}

function stateOf(leased: boolean, unhealthy: boolean, drain: boolean): DockState {
  if (!leased) return 'unreachable'
  if (unhealthy) return 'daemon-unhealthy'
  return drain ? 'drained' : 'ready'
}

function objectIn(text: string | undefined): object {
  try {
    const parsed: unknown = JSON.parse(text ?? '{}')
    return typeof parsed === 'object' && parsed !== null ? parsed : {}
  } catch {
    return {}
  }
}

const isoTime = (ms: string | undefined): string | null =>
  ms && Number.isFinite(new Date(Number(ms)).getTime()) ? new Date(Number(ms)).toISOString() : null
