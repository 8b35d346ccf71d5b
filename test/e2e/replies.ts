import type { Reply } from '../support/http'

/** Expects that a job was done within the request. */
export async function expectDone(reply: Promise<Reply>): Promise<void> {
  const { status, body } = await reply
  expect({ status, body }).toMatchObject({ status: 200, body: { job: { state: 'completed', error: null } } })
}

/** Expects a problem reply, and gives its body. */
export async function expectRefused(reply: Promise<Reply>, status: number, code: string, detail = /./) {
  const { status: actual, headers, body } = await reply
  const problem = { status, code, title: expect.any(String), detail: expect.stringMatching(detail) }
  expect({ status: actual, body }).toMatchObject({ status, body: problem })
  expect(headers.get('content-type')).toContain('application/problem+json')
  return body as Record<string, unknown>
}

/** A problem that names the field, what was expected and what arrived, and shows nothing of the code. */
export function expectProblem(
  { status, headers, body }: Reply,
  expectedStatus: number,
  code: string,
  field: string,
  expected: string,
  got: string,
): void {
  expect({ status, body }).toMatchObject({ status: expectedStatus, body: { status: expectedStatus, code } })
  expect(headers.get('content-type')).toContain('application/problem+json')
  const detail = body.detail as string
  expect(detail.slice(0, `${field}: expected ${expected}`.length)).toBe(`${field}: expected ${expected}`)
  expect(detail).toMatch(/[;,] got /)
  expect(detail.slice(detail.indexOf(' got '))).toContain(got)
  expect(JSON.stringify(body)).not.toMatch(/node_modules|\.[jt]s:\d+|\bat \w+ \(/)
}
