import { flag, form, from, list, object, oneOf, only, type Reader, text, whole } from './readers'
import { type At, denied, inside } from './refusal'
import { gives, type Rules } from './rules'

/** So many processes a container may have under `restricted`, and has where it does not ask for fewer. */
export const mostPids = 512

const size = whole(0)

/** -1 is "no limit" in Docker's words. */
const sizeOrNone = whole(-1)

/** In a create 0 is no word on it, in an update it is "no limit", as -1 is in both. */
const pids =
  (zeroIsNone: boolean): Reader =>
  (value, at) => {
    const count = whole(-1)(value, at) as number
    if (gives(at.rules, 'baseline')) return count
    if (count === 0 && !zeroIsNone) return undefined
    if (count <= 0 || count > mostPids) throw denied(at, `from 1 to ${mostPids} processes`, count)
    return count
  }

/** Limits of these kinds bind the container's own processes; the others reach for the host's scheduler and queues. */
const ulimitName = only('as', 'core', 'cpu', 'data', 'fsize', 'locks', 'memlock', 'nofile', 'nproc', 'rss', 'stack')

const ulimits = list(object({ Name: from('privileged', text, ulimitName), Soft: sizeOrNone, Hard: sizeOrNone }))

const deviceRates = from('privileged', list(object({ Path: text, Rate: size })))

/** The limits of a container, as Docker's create and its update take them. */
export const limitFields: Record<string, Reader> = {
  Memory: size,
  MemoryReservation: size,
  MemorySwap: sizeOrNone,
  MemorySwappiness: whole(-1, 100),
  KernelMemory: size,
  KernelMemoryTCP: size,
  NanoCpus: size,
  CpuShares: size,
  CpuPeriod: size,
  CpuQuota: sizeOrNone,
  CpusetCpus: form(/^[\d,-]*$/, 'CPUs such as 0-2,4'),
  CpusetMems: form(/^[\d,-]*$/, 'memory nodes such as 0-1'),
  // Real time comes before everything else on the host.
  CpuRealtimePeriod: from('privileged', size),
  CpuRealtimeRuntime: from('privileged', size),
  BlkioWeight: whole(0, 1000),
  BlkioWeightDevice: from('privileged', list(object({ Path: text, Weight: whole(0, 1000) }))),
  BlkioDeviceReadBps: deviceRates,
  BlkioDeviceWriteBps: deviceRates,
  BlkioDeviceReadIOps: deviceRates,
  BlkioDeviceWriteIOps: deviceRates,
  PidsLimit: pids(false),
  Ulimits: ulimits,
  OomKillDisable: from('privileged', flag),
}

export const restartPolicy = object({
  Name: oneOf('', 'no', 'always', 'unless-stopped', 'on-failure'),
  MaximumRetryCount: whole(0),
})

/** The part of a body that has limits, once its fields have been read. */
export interface Limits {
  Memory?: number
  MemorySwap?: number
  NanoCpus?: number
  CpuPeriod?: number
  CpuQuota?: number
}

/** Docker's own period, in microseconds. */
const usualPeriod = 100_000

/**
 * What must be added where the rules have a ceiling and the container asks for no limit. Throws where it asks for more.
 * `complete` says that what is absent means "none", as in a create; in an update it means "as before".
 */
export function underCeilings(limits: Limits, at: At, complete: boolean): Limits {
  const { memory, cpus } = at.rules
  return {
    ...(memory !== undefined && memoryUnder(memory, limits, at, complete)),
    ...(cpus !== undefined && cpusUnder(cpus, limits, at, complete)),
  }
}

function memoryUnder(most: number, { Memory, MemorySwap }: Limits, at: At, complete: boolean): Limits {
  if (Memory !== undefined && Memory > most) throw denied(inside(at, 'Memory'), `at most ${most} bytes`, Memory)
  // Memory and swap together: without a word on it Docker gives as much swap as memory.
  if (MemorySwap !== undefined && (MemorySwap < 0 || MemorySwap > 2 * most)) {
    throw denied(inside(at, 'MemorySwap'), `at most ${2 * most} bytes`, MemorySwap)
  }
  return complete && !Memory ? { Memory: most } : {}
}

function cpusUnder(most: number, { NanoCpus, CpuPeriod, CpuQuota }: Limits, at: At, complete: boolean): Limits {
  if (NanoCpus !== undefined && NanoCpus > most * 1e9) {
    throw denied(inside(at, 'NanoCpus'), `at most ${most * 1e9}`, NanoCpus)
  }
  const quota = Math.floor(most * (CpuPeriod || usualPeriod))
  if (CpuQuota !== undefined && (CpuQuota < 0 || CpuQuota > quota)) {
    throw denied(inside(at, 'CpuQuota'), `at most ${quota}`, CpuQuota)
  }
  // A longer period alone would make an older quota a smaller share, a shorter one a larger.
  if (!complete && CpuPeriod && !CpuQuota) throw denied(inside(at, 'CpuPeriod'), 'a quota beside it', CpuPeriod)
  if (!complete || NanoCpus || CpuQuota) return {}
  return CpuPeriod ? { CpuQuota: quota } : { NanoCpus: Math.floor(most * 1e9) }
}

const update = object({ ...limitFields, PidsLimit: pids(true), RestartPolicy: restartPolicy })

/** Docker's body for an update of limits, where these rules allow it. Throws as `admit` does. */
export function admitUpdate(document: object, rules: Rules): object {
  const at: At = { path: [], rules }
  const body = update(document, at) as Limits
  underCeilings(body, at, false)
  return body
}
