import type { Fleet } from '@deblox/fleet/fleet'
import { clusterTopic, dockTopic } from '@deblox/fleet/names'
import type { MemoryWatch } from '@deblox/fleet/memory'
import type { Reply } from '@deblox/fleet/replies'
import Joi from 'joi'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { type DecisionMetrics, decisionMetrics } from './edges/decision-metrics'
import type { Route } from './route'

export interface Metrics extends DecisionMetrics {
  /** Counts a job's slot that has ended. Replies come once, to the replica that accepted the job. */
  onReply(reply: Reply): void
  /** Counts a request that was refused because a limit was reached. */
  onRefused(limit: string): void
  /** Tells what is open now, whenever Prometheus asks. */
  watchOpen(count: () => { calls: number; streams: number }): void
  route: Route
}

const dockStates = ['ready', 'unreachable', 'daemon-unhealthy', 'drained'] as const
const depthStates = ['waiting', 'active', 'delayed'] as const

/** What Prometheus reads. Depths and docks are read from Redis when it asks. */
export function metricsOf(fleet: Fleet, memory: MemoryWatch): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const ended = new Counter({
    name: 'deblox_jobs_total',
    help: 'Slots of jobs accepted by this replica that have ended, by action and outcome',
    labelNames: ['action', 'outcome'],
    registers,
  })
  const duration = new Histogram({
    name: 'deblox_job_duration_seconds',
    help: 'From acceptance to end',
    labelNames: ['action'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
    registers,
  })
  const depth = new Gauge({
    name: 'deblox_queue_depth',
    help: 'Jobs on a topic, by state',
    labelNames: ['topic', 'state'],
    registers: [],
    async collect() {
      this.reset()
      const topics = [clusterTopic, ...(await fleet.docks.names()).map(dockTopic)]
      const counts = await Promise.all(topics.map((topic) => fleet.topics.queue(topic).getJobCounts(...depthStates)))
      for (const [n, topic] of topics.entries()) {
        for (const state of depthStates) this.set({ topic, state }, counts[n]?.[state] ?? 0)
      }
    },
  })
  const docks = new Gauge({
    name: 'deblox_docks',
    help: 'Registered docks, by state',
    labelNames: ['state'],
    registers: [],
    async collect() {
      const all = await fleet.docks.list()
      for (const state of dockStates) this.set({ state }, all.filter((dock) => dock.state === state).length)
    },
  })
  const refused = new Counter({
    name: 'deblox_refused_total',
    help: 'Requests that this replica refused because a limit was reached, by limit',
    labelNames: ['limit'],
    registers,
  })
  const memoryRatio = new Gauge({
    name: 'deblox_redis_memory_ratio',
    help: 'The part of its memory that Redis has in use, 0 where it does not tell',
    registers: [],
    async collect() {
      this.set(await memory.ratio())
    },
  })
  for (const read of [depth, docks, memoryRatio]) registry.registerMetric(read)
  return {
    ...decisionMetrics(registry),
    onReply({ action, acceptedAt, outcome }) {
      ended.inc({ action, outcome: outcome.state })
      duration.observe({ action }, Math.max(0, outcome.finishedAt - acceptedAt) / 1000)
    },
    onRefused: (limit) => refused.inc({ limit }),
    watchOpen(count) {
      const open = new Gauge({
        name: 'deblox_open',
        help: 'What is open on this replica for somebody who listens, by kind',
        labelNames: ['kind'],
        registers,
        collect() {
          for (const [kind, number] of Object.entries(count())) open.set({ kind }, number)
        },
      })
    },
    route: {
      method: 'GET',
      path: '/metrics',
      tag: 'health',
      summary: 'Figures for Prometheus',
      request: Joi.object({}),
      answers: { 200: 'Figures in the Prometheus text format' },
      handle: async () => ({
        status: 200,
        body: await registry.metrics(),
        headers: { 'Content-Type': registry.contentType },
      }),
    },
  }
}
