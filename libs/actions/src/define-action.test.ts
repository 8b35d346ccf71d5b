import Joi from 'joi'
import { type ActionSpec, defineAction, noContent, ok } from './define-action'
import { validate } from './explain'

const spec: ActionSpec<{ size?: number }> = {
  name: 'measure-dock',
  summary: 'Measure a dock',
  target: 'dock',
  effect: 'read',
  http: 'GET /v1/docks/:hostname/size',
  params: Joi.object({ size: Joi.number() }),
  timeoutMs: 1000,
  run: () => Promise.resolve(noContent()),
}

test('parts the route into its method and its path', () => {
  expect(defineAction(spec)).toMatchObject({ method: 'GET', path: '/v1/docks/:hostname/size', aliases: [] })
})

test('adds to the request where it goes, and takes it off again', () => {
  const action = defineAction(spec)
  const valid = validate(action.request, { size: 1, hostname: 'dock-1' })
  expect(action.split(valid)).toEqual({ params: { size: 1 }, routing: { hostname: 'dock-1' } })
})

test('lets a read go to any dock, and has a change say which one', () => {
  expect(validate(defineAction(spec).request, {})).toEqual({})
  const change = defineAction({ ...spec, effect: 'change' })
  expect(() => validate(change.request, {})).toThrow(/^hostname: expected a host name .*; got nothing$/)
})

test('takes `instances` only for an action that creates', () => {
  expect(() => validate(defineAction(spec).request, { instances: 2 })).toThrow(/^instances: expected one of the fields/)
  expect(validate(defineAction({ ...spec, creates: true }).request, { instances: 2 })).toEqual({ instances: 2 })
})

test('leaves `hostname` to an action that has it as a field of its own', () => {
  const own = defineAction({ ...spec, params: Joi.object({ hostname: Joi.string().required() }) })
  expect(own.split({ hostname: 'dock-1' })).toEqual({ params: { hostname: 'dock-1' }, routing: {} })
})

test('knows that a read may be run again, and of a change only what it is told', () => {
  expect(defineAction(spec).idempotent).toBe(true)
  expect(defineAction({ ...spec, effect: 'change' }).idempotent).toBeUndefined()
  expect(defineAction({ ...spec, effect: 'change', idempotent: true }).idempotent).toBe(true)
})

test('answers with or without a body', () => {
  expect(noContent()).toEqual({ statusCode: 204 })
  expect(ok(null)).toEqual({ statusCode: 200, body: null })
})
