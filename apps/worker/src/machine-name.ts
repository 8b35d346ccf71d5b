import { lookup, lookupService } from 'node:dns/promises'
import { hostname } from 'node:os'

/** How long the resolver may take, in milliseconds. */
const resolveMs = 2_000

/**
 * The machine's fully qualified name, in lower case: what the resolver gives back for the address of its host name.
 * Where that is no longer form of the host name, or the resolver does not answer, the host name itself.
 */
export async function machineName(short = hostname()): Promise<string> {
  const name = short.toLowerCase()
  if (name.includes('.')) return name
  const full = await Promise.race([resolve(name), late()])
  return full.startsWith(`${name}.`) ? full : name
}

async function resolve(name: string): Promise<string> {
  try {
    const { address } = await lookup(name)
    const { hostname: found } = await lookupService(address, 0)
    return found.toLowerCase().replace(/\.$/, '')
  } catch {
    // A machine without an entry for itself is called by its host name.
    return name
  }
}

const late = (): Promise<string> =>
  new Promise((done) => {
    setTimeout(done, resolveMs, '').unref()
  })
