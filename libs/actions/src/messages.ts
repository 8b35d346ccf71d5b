import Joi from 'joi'

/** What is expected where a value breaks a rule of Joi's and its schema does not say it better. */
const expectations = {
  'any.required': 'a value',
  'any.only': '{if(#valids.length == 1, "", "one of ")}{{#valids}}',
  'any.unknown': 'no such field here',
  'object.unknown': 'no field of that name',
  'object.base': 'an object',
  'object.min': 'an object of at least {{#limit}} {if(#limit == 1, "field", "fields")}',
  'object.max': 'an object of at most {{#limit}} {if(#limit == 1, "field", "fields")}',
  'object.missing': 'at least one of them',
  'array.base': 'a list',
  'array.min': 'a list of at least {{#limit}}',
  'array.max': 'a list of at most {{#limit}}',
  'array.unique': 'a list without repetitions',
  'array.sparse': 'a list without gaps',
  'boolean.base': 'true or false',
  'number.base': 'a number',
  'number.integer': 'a whole number',
  'number.min': '{{#limit}} or more',
  'number.max': '{{#limit}} or less',
  'number.unsafe': 'a number that is not too large to be exact',
  'number.infinity': 'a finite number',
  'string.base': 'a string',
  'string.empty': 'a string that is not empty',
  'string.min': 'at least {{#limit}} characters',
  'string.max': 'at most {{#limit}} characters',
  'string.length': '{{#limit}} characters',
  'alternatives.types': 'one of {{#types}}',
} as const

/** Rules whose own words in Joi would show a pattern or say nothing: a schema that uses one says what it expects. */
const unspoken = [
  'any.custom',
  'any.invalid',
  'string.pattern.base',
  'string.pattern.invert.name',
  'string.isoDate',
  'alternatives.match',
]

/** The table as Joi takes it, its templates parsed once. `*` stands for every rule that is not in it. */
export const plainMessages: Joi.LanguageMessages = Object.fromEntries(
  Object.entries({ ...expectations, '*': 'another value' }).map(([code, text]) => [
    code,
    Joi.expression(`expected ${text}`),
  ]),
)

/** The messages of a schema that says in one phrase what it expects, whichever of its rules is broken. */
export const expected = (phrase: string): Joi.LanguageMessages =>
  Object.fromEntries([...Object.keys(expectations), ...unspoken].map((code) => [code, `expected ${phrase}`]))
