import { envelopeOf } from './envelope'

const now = new Date(Date.UTC(2014, 10, 18, 11, 47, 32))

test('a reply with a body has the original’s fields in the original’s order', () => {
  const body = { Id: '949c89ef28bef7accf6258a5502830ae71c33d98a9ffddbe46a80430324de630', Warnings: null }
  expect(JSON.stringify(envelopeOf({ statusCode: 201, body }, 'unisthlt035.unibet.com', now))).toBe(
    '{"Content-Length":"90","Content-Type":"application/json","Date":"Tue, 18 Nov 2014 11:47:32 GMT",' +
      '"Response":{"Body":{"Id":"949c89ef28bef7accf6258a5502830ae71c33d98a9ffddbe46a80430324de630","Warnings":null}},' +
      '"dockerInstance":"unisthlt035.unibet.com","statusCode":201}',
  )
})

test('a reply without a body says so by an empty text', () => {
  expect(JSON.stringify(envelopeOf({ statusCode: 204 }, 'dock-1', now))).toBe(
    '{"Date":"Tue, 18 Nov 2014 11:47:32 GMT","Response":"","dockerInstance":"dock-1","statusCode":204}',
  )
})

test.each([
  [[], '3'],
  [null, '5'],
  ['größe', '10'],
  [{ a: '🐳' }, '13'],
])('the length of %j counts bytes and the line feed that Docker adds', (body, length) => {
  expect(envelopeOf({ statusCode: 200, body }, 'dock-1', now)['Content-Length']).toBe(length)
})
