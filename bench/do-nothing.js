// An action that does nothing, as one more file of the built actions: programs.ts puts it beside the others.
const Joi = require('joi')
const { defineAction, noContent } = require('../define-action')

exports.doNothing = defineAction({
  name: 'do-nothing',
  summary: 'Do nothing',
  target: 'dock',
  effect: 'change',
  http: 'POST /v1/docks/:hostname/nothing',
  params: Joi.object({}),
  silent: true,
  idempotent: true,
  timeoutMs: 30_000,
  run: async () => noContent(),
})
