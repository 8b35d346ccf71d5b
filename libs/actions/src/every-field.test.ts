import type Joi from 'joi'
import type { Action } from './define-action'
import { DebloxError } from './errors'
import { type FieldError, validate } from './explain'
import { actions } from './registry'

const long = 'a'.repeat(10_240)

/** Values of every type, none of which is right everywhere; a field must refuse some of them, and say why. */
const wrongValues: unknown[] = [
  null,
  true,
  -7,
  0.001,
  1e300,
  '',
  ' ',
  'json?all=1#',
  'x/../../info',
  'ein Wörtchen',
  long,
  [],
  [null],
  [5],
  ['x y', '='],
  [long],
  [[]],
  [{}],
  [{ type: 'bind', target: '/x' }],
  [{ type: 'tmpfs', source: 'x', target: 'relative', readOnly: 'yes', other: 1 }],
  {},
  { a: 5 },
  { 'deblox.owner': 'mallory' },
  { Image: 5, labels: {}, Labels: { 'deblox.job': 'x', team: 5 } },
]

const cases = [...actions.values()].flatMap((action) => fieldsOf(action).map((field) => [action.name, field] as const))

test.each(cases)('%s says in plain English what %s should be', (name, field) => {
  const { request } = actions.get(name) as Action
  const complaints = wrongValues.flatMap((value) => complaintsAbout(request, field, value))
  expect(complaints.length).toBeGreaterThan(0)
  for (const { field: path, expected, got } of complaints) {
    expect(path.startsWith(field)).toBe(true)
    // No regular expression, no word of Joi's own, and not the phrase for rules that nobody has described.
    expect(expected).not.toMatch(/\/\^|\$\/|\(\?|\[a-z|\\|must|allowed|pattern|undefined|another value|^a value$/)
    expect(expected).toMatch(/^[a-zA-Z0-9].*[a-zA-Z0-9."]$/)
    expect(got.length).toBeLessThan(100)
  }
})

test.each([...actions.values()].map((action) => [action.name, action.request] as const))(
  '%s names a field that it does not know, and those that it does',
  (_, request) => {
    const [complaint] = complaintsAbout(request, 'surprise', 1)
    expect(complaint).toMatchObject({ got: '"surprise"', expected: expect.stringContaining('hostname') })
  },
)

function fieldsOf({ request }: Action): string[] {
  return Object.keys(request.describe()['keys'] as object)
}

/** What is said of this field, among all that is wrong with a request that has nothing else. */
function complaintsAbout(request: Joi.Schema, field: string, value: unknown): FieldError[] {
  try {
    validate(request, { [field]: value })
  } catch (error) {
    if (!(error instanceof DebloxError)) throw error
    const fields = error.details['fields'] as FieldError[]
    return fields.filter((complaint) => complaint.field.startsWith(field) && complaint.got !== 'nothing')
  }
  return []
}
