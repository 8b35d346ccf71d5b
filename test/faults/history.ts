import type { Answer } from './ask'

export interface Acknowledged {
  id: string
  /** What was asked for, in words. */
  asked: string
  /** The container that was to be changed. */
  container?: string
  isDelete: boolean
  isCreate: boolean
  round: number
  at: string
}

/** What callers know: everything else is Deblox's own affair. */
export class History {
  round = 0
  readonly acknowledged = new Map<string, Acknowledged>()
  /** Job ids by the Idempotency-Key under which they were answered: one each, if all is well. */
  readonly byKey = new Map<string, Set<string>>()
  /** Containers that somebody asked to delete, with or without an answer. */
  readonly doomed = new Set<string>()
  /** Answers by status; 0 for none. */
  readonly answers = new Map<number, number>()

  /** Notes an answer, and the job's id if it tells one: from then on the job must not be lost. */
  note(
    answer: Answer | undefined,
    about: Pick<Acknowledged, 'asked' | 'container' | 'isCreate' | 'isDelete'>,
    key?: string,
  ): string | undefined {
    const status = answer?.status ?? 0
    this.answers.set(status, (this.answers.get(status) ?? 0) + 1)
    const id = answer && jobIdIn(answer)
    if (id === undefined) return undefined
    if (key !== undefined) this.byKey.set(key, (this.byKey.get(key) ?? new Set()).add(id))
    if (!this.acknowledged.has(id)) {
      this.acknowledged.set(id, { ...about, id, round: this.round, at: new Date().toISOString() })
    }
    return id
  }

  /** What was acknowledged in a round. */
  of(round: number): Acknowledged[] {
    return [...this.acknowledged.values()].filter((one) => one.round === round)
  }
}

function jobIdIn({ body, headers }: Answer): string | undefined {
  const { job } = (body ?? {}) as { job?: string | { id?: string } }
  const id = typeof job === 'object' ? job.id : job
  return id ?? headers.get('location')?.replace(/^\/v1\/jobs\//, '')
}
