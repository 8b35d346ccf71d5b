import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Api } from '../support/api'
import { eventually } from '../support/eventually'
import { ask, itemsOf, type Question } from './ask'
import type { History } from './history'
import type { Random } from './random'
import type { Site } from './site'

/** Between two requests, in milliseconds: the faults are to be tested, not the processors. */
const everyMs = 350

/** From so many containers on, the load rather deletes than creates. */
const fullHouse = 18

const maxInFlight = 30

interface Order {
  method: string
  path: string
  body?: object
  asked: string
  container?: string
  isCreate?: boolean
  isDelete?: boolean
}

/** Callers of the fleet: a mix of requests to either replica, some of them retried with a key. */
export class Load {
  #running: Promise<void> | undefined
  #stopping = new AbortController()
  readonly #inFlight = new Set<Promise<unknown>>()

  constructor(
    private readonly site: Site,
    private readonly history: History,
    private readonly random: Random,
  ) {}

  start(): void {
    this.#stopping = new AbortController()
    this.#running = this.#run(this.#stopping.signal)
  }

  /** Sends nothing more, and waits for the answers to what was sent. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    await Promise.all(this.#inFlight)
  }

  /** Asks for a container until some replica has acknowledged it; under one key, so that it is one container. */
  async create(fields: object): Promise<string> {
    const order = this.#creation(fields)
    const key = randomUUID()
    const id = await eventually(
      () => this.#send(this.#anyApi(), order, key),
      (id) => id !== undefined,
      {
        within: 90_000,
        every: 200,
        what: 'a create is acknowledged',
      },
    )
    return id as string
  }

  /**
   * A caller who leaves before the answer comes, and asks again with the same key, at the other replica as well. False where
   * the first answer came too soon for that, or none came later.
   */
  async createImpatiently(afterMs: number): Promise<boolean> {
    const order = this.#creation({})
    const key = randomUUID()
    const hasLeft = (await this.#send(this.#anyApi(), order, key, afterMs)) === undefined
    const answers: (string | undefined)[] = []
    for (const api of this.random.shuffled(this.site.apis)) answers.push(await this.#send(api, order, key))
    return hasLeft && answers.some((id) => id !== undefined)
  }

  /** Some requests at once, so that a fault that comes now meets jobs at every stage. */
  burst(count: number): void {
    for (let n = 0; n < count && this.#inFlight.size < maxInFlight; n++) {
      const sent: Promise<void> = this.#sendAny()
        .catch(() => undefined)
        .finally(() => this.#inFlight.delete(sent))
      this.#inFlight.add(sent)
    }
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.burst(1)
      // The rate of the load, which is its own: nothing is waited for.
      await pause(everyMs * (0.5 + this.random.next()), undefined, { signal }).catch(() => undefined)
    }
  }

  async #sendAny(): Promise<void> {
    const order = await this.#anyOrder()
    const keyed = this.random.happens(0.5)
    if (!keyed) {
      await this.#send(this.#anyApi(), order)
      return
    }
    const key = randomUUID()
    for (let tried = 0; tried < 4; tried++) {
      const id = await this.#send(this.#anyApi(), order, key)
      // Some callers ask again though they have been answered.
      if (id !== undefined && !this.random.happens(0.2)) return
    }
  }

  async #anyOrder(): Promise<Order> {
    const listed = await ask(this.#anyApi(), { method: 'GET', path: '/v1/containers?limit=200', within: 3_000 })
    const ids = itemsOf<{ id: string }>(listed).map(({ id }) => id)
    if (ids.length < 3 || this.random.happens(ids.length > fullHouse ? 0.2 : 0.45))
      return this.#creation(this.#anyFields())
    const id = this.random.one(ids)
    const path = `/v1/containers/${id}`
    if (this.random.happens(ids.length > fullHouse ? 0.6 : 0.25)) {
      return { method: 'DELETE', path: `${path}?force=true`, asked: `delete ${id}`, container: id, isDelete: true }
    }
    const what = this.random.one(['start', 'stop', 'restart'])
    const body = what === 'start' ? {} : { timeout: this.random.below(2) }
    return { method: 'POST', path: `${path}/${what}`, body, asked: `${what} ${id}`, container: id }
  }

  #anyFields(): object {
    return {
      start: this.random.happens(0.4),
      ...(this.random.happens(0.25) && { instances: 2 + this.random.below(2) }),
      ...(this.random.happens(0.3) && { hostname: this.random.one(this.site.machines).hostname }),
    }
  }

  #creation(fields: object): Order {
    const body = { image: 'busybox', cmd: ['sleep', '3600'], init: true, network: 'none', ...fields }
    return { method: 'POST', path: '/v1/containers', body, asked: `create ${JSON.stringify(fields)}`, isCreate: true }
  }

  async #send(api: Api, order: Order, key?: string, within?: number): Promise<string | undefined> {
    const { method, path, body, asked, container, isCreate = false, isDelete = false } = order
    if (isDelete && container) this.history.doomed.add(container)
    const prefer = this.random.happens(0.5) ? 'respond-async' : 'wait=5'
    const headers: Record<string, string> = { Prefer: prefer, ...(key !== undefined && { 'Idempotency-Key': key }) }
    const question: Question = { method, path, headers, ...(body && { body }), ...(within && { within }) }
    const answer = await ask(api, question)
    return this.history.note(answer, { asked, isCreate, isDelete, ...(container && { container }) }, key)
  }

  #anyApi(): Api {
    return this.random.one(this.site.apis)
  }
}
