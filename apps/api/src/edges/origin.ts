import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net'

/** Tells from where a request came. */
export type AddressOf = (request: Pick<IncomingMessage, 'socket' | 'headers'>) => string

/**
 * From where a request came: the other end of its connection, or, where that is a proxy that is trusted, whoever that says
 * it came from, and so on. `trusted`: addresses and networks (`10.0.0.0/8`) of proxies, with commas; without any,
 * X-Forwarded-For is not looked at, for anybody can send it. Throws a TypeError that says what is wrong.
 */
export function addressesBehind(trusted = ''): AddressOf {
  const proxies = blockListOf(trusted)
  const isProxy = (address: string): boolean => proxies?.check(address, isIPv6(address) ? 'ipv6' : 'ipv4') === true
  return ({ socket, headers }) => {
    let address = plain(socket.remoteAddress ?? '')
    // As many as it takes: each proxy adds who spoke to it at the end, and what came before that may be made up.
    const named = String(headers['x-forwarded-for'] ?? '').split(',')
    while (named.length > 0 && isProxy(address)) {
      const before = plain((named.pop() ?? '').trim())
      if (isIP(before) === 0) break
      address = before
    }
    return address === '' ? 'unknown' : address
  }
}

function blockListOf(trusted: string): BlockList | undefined {
  const list = new BlockList()
  const parts = trusted.split(',').flatMap((part) => part.trim() || [])
  for (const part of parts) {
    const [, address = '', bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(part) ?? []
    const most = isIPv4(address) ? 32 : 128
    if (isIP(address) === 0 || Number(bits ?? 0) > most) {
      throw new TypeError('expected addresses and networks of proxies, as in 10.0.0.0/8,192.0.2.1')
    }
    list.addSubnet(address, Number(bits ?? most), isIPv4(address) ? 'ipv4' : 'ipv6')
  }
  return parts.length > 0 ? list : undefined
}

/** An IPv4 address is told as one, also where it came over a socket of IPv6. */
const plain = (address: string): string =>
  /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address.replace(/%.*$/, '')

/** What counts as one caller: an address, or the /64 of IPv6 that one customer has to himself. */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address
  const [head = '', tail = ''] = address.split('::')
  const [first, last] = [head, tail].map((half) => (half === '' ? [] : half.split(':'))) as [string[], string[]]
  const zeros = Array.from({ length: Math.max(0, 8 - first.length - last.length) }, () => '0')
  const groups = address.includes('::') ? [...first, ...zeros, ...last] : first
  return `${groups.slice(0, 4).join(':')}::/64`
}

const ids = new WeakMap<object, string>()

/** The id under which a request stands in log and audit: the caller's `X-Request-Id` where that is a plain one, else a new one. */
export function requestIdOf(request: Pick<IncomingMessage, 'headers'>): string {
  const known = ids.get(request)
  if (known !== undefined) return known
  const given = request.headers['x-request-id']
  const id = typeof given === 'string' && /^[\w.:-]{1,64}$/.test(given) ? given : randomUUID()
  ids.set(request, id)
  return id
}
