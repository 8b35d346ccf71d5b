// Preloaded into a worker: of the topic that DEAF_TOPIC names the first DEAF_WORKERS of BullMQ's workers take nothing, and
// say nothing. So BullMQ has stopped before: a take that never came back.
const { Worker } = require('bullmq')

const { DEAF_TOPIC: topic, DEAF_WORKERS: count } = process.env
const deaf = new Set()
const take = Reflect.get(Worker.prototype, 'moveToActive')

Worker.prototype.moveToActive = function (...args) {
  if (this.name === topic && deaf.size < Number(count)) deaf.add(this)
  return deaf.has(this) ? new Promise(() => {}) : take.apply(this, args)
}
