/** The part of JSON Schema in which the OpenAPI document describes a problem. */
export interface Schema {
  required: string[]
  properties: Record<string, { type?: string; enum?: unknown[] }>
}

/** Expects a body to be as the schema says, and to tell the status that the reply has. */
export function expectProblemBody(schema: Schema, status: number, body: unknown): void {
  const problem = body as Record<string, unknown>
  const wrong = Object.entries(schema.properties).filter(([name, { type, enum: allowed }]) => {
    const value = problem[name]
    if (value === undefined) return schema.required.includes(name)
    if (allowed) return !allowed.includes(value)
    return type === 'integer' ? !Number.isInteger(value) : typeof value !== type
  })
  if (wrong.length > 0 || problem['status'] !== status) {
    throw new Error(`expected a problem of status ${status}, got ${JSON.stringify(body).slice(0, 500)}`)
  }
}
