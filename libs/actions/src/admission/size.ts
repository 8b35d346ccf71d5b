import type { ContainerCreateOptions } from 'dockerode'

/** What a container may take at the most; 0 where it has no limit. */
export interface Size {
  /** Bytes. */
  memory: number
  cpus: number
}

/** The limits in the body of a create. */
export function sizeOf({ HostConfig }: ContainerCreateOptions): Size {
  const { Memory = 0, NanoCpus = 0, CpuQuota = 0, CpuPeriod = 0 } = HostConfig ?? {}
  // Docker takes a share of a period for the same, 100 ms unless told.
  const ofPeriod = CpuQuota > 0 ? CpuQuota / (CpuPeriod || 100_000) : 0
  return { memory: Memory, cpus: NanoCpus > 0 ? NanoCpus / 1e9 : ofPeriod }
}
