import type { CensusRow } from '../support/dock'
import { eventually } from '../support/eventually'
import { ask, itemsOf } from './ask'
import type { Acknowledged, History } from './history'
import type { Site } from './site'

/** What of design §2 did not hold, in words. */
export interface Violation {
  what: string
  detail: string
}

/** A job as the API tells it, as far as the oracle looks. */
interface JobSeen {
  id: string
  state: string
  error: { code: string; message: string } | null
  slots: { slot: number; state: string; dock: string | null; container: { id: string } | null }[]
}

const terminal = new Set(['completed', 'failed', 'expired', 'cancelled'])

/** So long after the last fault has been healed all must be in order, in milliseconds; per step. */
const bounds = { ready: 40_000, jobs: 180_000, topics: 20_000, containers: 30_000 }

export interface OracleOptions {
  /** Whether the docks must be ready and the index right, which only Deblox's own workers see to. */
  ownWorkers?: boolean
  /** How long containers may differ from what was promised, in milliseconds. */
  containersMs?: number
}

/** Judges a fleet, after all faults have been healed, by what its callers and its engines know. */
export class Oracle {
  /** How each acknowledged job ended, when that was first seen. */
  readonly ended = new Map<string, string>()
  /** What failed jobs gave as their reason. */
  readonly failures = new Map<string, string[]>()
  readonly #jobs = new Map<string, JobSeen>()
  readonly #ownWorkers: boolean
  readonly #containersMs: number
  #violations: Violation[] = []

  constructor(
    private readonly site: Site,
    private readonly history: History,
    { ownWorkers = true, containersMs = bounds.containers }: OracleOptions = {},
  ) {
    this.#ownWorkers = ownWorkers
    this.#containersMs = containersMs
  }

  /** All that does not hold of these jobs and of the fleet as a whole. */
  async judge(jobs: Acknowledged[]): Promise<Violation[]> {
    this.#violations = []
    if (this.#ownWorkers) await this.#expect('not all docks became ready', () => this.site.ready(bounds.ready))
    await this.#expect('jobs that were acknowledged have not ended', () => this.#allEnd(jobs))
    this.#eachEndsOnce(jobs)
    this.#oneJobAKey()
    await this.#expect('work waits that could run, or is active without a worker', () => this.#topicsAreEmpty())
    await this.#containersAreRight(jobs)
    if (this.#ownWorkers) await this.#expect('the index differs from the engines', () => this.#indexIsRight())
    return this.#violations
  }

  /** Looks at jobs of before again: whoever has ended stays as he ended. */
  async judgeAgain(jobs: Acknowledged[]): Promise<Violation[]> {
    this.#violations = []
    await this.#expect('jobs that were acknowledged have not ended', () => this.#allEnd(jobs))
    this.#eachEndsOnce(jobs)
    return this.#violations
  }

  async #allEnd(jobs: Acknowledged[]): Promise<void> {
    let open = jobs.map(({ id }) => id)
    const look = async () => {
      open = await this.#unended(open)
      return open
    }
    const tell = async () => Promise.all(open.slice(0, 10).map(async (id) => JSON.stringify(await this.#job(id, 0))))
    await eventually(look, (left) => left.length === 0, { within: bounds.jobs, every: 250 }).catch(async () => {
      const asked = open.map((id) => this.history.acknowledged.get(id)?.asked)
      throw new Error(`${open.length} jobs: ${asked.slice(0, 10).join('; ')}\n${(await tell()).join('\n')}`)
    })
  }

  /** Those of the jobs that have not ended by the word of both replicas; what is seen is noted. */
  async #unended(ids: string[]): Promise<string[]> {
    const open: string[] = []
    for (let n = 0; n < ids.length; n += 10) {
      await Promise.all(
        ids.slice(n, n + 10).map(async (id) => {
          const seen = await Promise.all(this.site.apis.map((_, api) => this.#job(id, api)))
          const states = seen.map((job) => job?.state ?? 'unknown')
          if (!states.every((state) => terminal.has(state))) return open.push(id)
          if (new Set(states).size > 1) this.#accuse('replicas tell different ends of a job', `${id}: ${states.join()}`)
          return this.#note(seen[0] as JobSeen)
        }),
      )
    }
    return open
  }

  #note(job: JobSeen): void {
    this.#jobs.set(job.id, job)
    const before = this.ended.get(job.id)
    if (before === undefined) {
      this.ended.set(job.id, job.state)
      const { code, message } = job.error ?? { code: '', message: '' }
      if (code) this.failures.set(code, [...(this.failures.get(code) ?? []), `${job.id}: ${message}`])
    } else if (before !== job.state) this.#accuse('a job ended twice', `${job.id}: ${before}, then ${job.state}`)
  }

  #eachEndsOnce(jobs: Acknowledged[]): void {
    for (const { id, asked } of jobs) {
      const job = this.#jobs.get(id)
      const open = job?.slots.filter(({ state }) => !terminal.has(state)) ?? []
      if (open.length > 0) this.#accuse('a job has ended and a slot of it has not', `${id} (${asked})`)
    }
  }

  #oneJobAKey(): void {
    for (const [key, ids] of this.history.byKey) {
      if (ids.size > 1) this.#accuse('an Idempotency-Key stands for several jobs', `${key}: ${[...ids].join()}`)
    }
  }

  async #topicsAreEmpty(): Promise<void> {
    const client = this.site.redisClient
    const look = async (): Promise<string[]> => {
      const keys = await client.keys(`${this.site.prefix}:deblox.docker*`)
      const holding = keys.filter((key) => /:(wait|active|delayed|prioritized|paused)$/.test(key)).sort()
      const sizes = holding.map(async (key) => [key, await (key.endsWith('d') ? size(key) : client.llen(key))])
      return (await Promise.all(sizes)).filter(([, count]) => count !== 0).map(String)
    }
    const size = async (key: string) => ((await client.type(key)) === 'zset' ? client.zcard(key) : client.llen(key))
    await eventually(look, (held) => held.length === 0, { within: bounds.topics, every: 200, what: 'topics are empty' })
  }

  async #containersAreRight(jobs: Acknowledged[]): Promise<void> {
    let wrong: Violation[] = []
    const look = async () => {
      const census = await this.#census()
      wrong = [...doubles(census), ...(await this.#strangers(census)), ...this.#missing(census, jobs)]
      return wrong.length === 0
    }
    await eventually(look, Boolean, { within: this.#containersMs, every: 500 }).catch(() => {
      this.#violations.push(...wrong)
    })
  }

  /** Containers whose job nobody knows. */
  async #strangers(census: CensusRow[]): Promise<Violation[]> {
    const ids = [...new Set(census.map(({ labels }) => labels['deblox.job'] ?? 'none'))]
    const unknown = await Promise.all(
      ids.map(async (id) => (this.#jobs.has(id) || (await this.#job(id, 0)) ? [] : [id])),
    )
    return unknown.flat().map((id) => ({ what: 'a container is there whose job nobody knows', detail: id }))
  }

  /** Creates that are said to be done though their container is not there, and deletes though it is. */
  #missing(census: CensusRow[], jobs: Acknowledged[]): Violation[] {
    const there = new Map(census.map(({ id, dock }) => [id, dock]))
    return jobs.flatMap(({ id, container, isCreate, isDelete }) => {
      const job = this.#jobs.get(id)
      if (isDelete && job?.state === 'completed' && container && there.has(container)) {
        return [{ what: 'a container is there after its delete was done', detail: `${container}, delete ${id}` }]
      }
      if (!isCreate || !job) return []
      const made = job.slots.flatMap(({ state, container }) => (state === 'completed' ? [container?.id ?? ''] : []))
      const lost = made.filter((id) => !there.has(id) && !this.history.doomed.has(id))
      return lost.map((one) => ({
        what: 'a create is done and its container is not there',
        detail: `${one}, job ${id}`,
      }))
    })
  }

  async #indexIsRight(): Promise<void> {
    const tell = ({ id, name, dock, state }: Pick<CensusRow, 'id' | 'name' | 'dock' | 'state'>) =>
      `${dock} ${id.slice(0, 12)} ${name} ${state}`
    const look = async () => {
      const [census, ...lists] = await Promise.all([
        this.#census(),
        ...this.site.apis.map(async (api) => {
          const answer = await ask(api, { method: 'GET', path: '/v1/containers?limit=1000' })
          return itemsOf<Pick<CensusRow, 'id' | 'name' | 'dock' | 'state'>>(answer)
        }),
      ])
      const engines = census.map(tell)
      return lists.flatMap((list) => differences(list.map(tell), engines))
    }
    await eventually(look, (found) => found.length === 0, {
      within: this.#containersMs,
      every: 500,
      what: 'the index says what the engines say',
    })
  }

  async #census(): Promise<CensusRow[]> {
    return (await Promise.all(this.site.machines.map((machine) => machine.census()))).flat()
  }

  async #job(id: string, api: number): Promise<JobSeen | undefined> {
    const replica = this.site.apis[api]
    const answer = replica && (await ask(replica, { method: 'GET', path: `/v1/jobs/${id}` }))
    return answer?.status === 200 ? (answer.body as JobSeen) : undefined
  }

  async #expect(what: string, step: () => Promise<void>): Promise<void> {
    await step().catch((error: Error) => this.#accuse(what, error.message))
  }

  #accuse(what: string, detail: string): void {
    this.#violations.push({ what, detail })
  }
}

/** Slots of jobs that have more than one container in the fleet. */
export function doubles(census: CensusRow[]): Violation[] {
  const bySlot = new Map<string, CensusRow[]>()
  for (const row of census) {
    const slot = `${row.labels['deblox.job']} slot ${row.labels['deblox.slot']}`
    bySlot.set(slot, [...(bySlot.get(slot) ?? []), row])
  }
  return [...bySlot].flatMap(([slot, rows]) => {
    const where = rows.map(({ dock, id, labels }) => `${dock} ${id.slice(0, 12)} epoch ${labels['deblox.epoch']}`)
    return rows.length > 1 ? [{ what: 'a slot has several containers', detail: `${slot}: ${where.join(', ')}` }] : []
  })
}

/** What is in one list and not in the other. */
function differences(index: string[], engines: string[]): string[] {
  const [listed, real] = [new Set(index), new Set(engines)]
  return [
    ...index.filter((line) => !real.has(line)).map((line) => `only in the index: ${line}`),
    ...engines.filter((line) => !listed.has(line)).map((line) => `only in an engine: ${line}`),
  ]
}
