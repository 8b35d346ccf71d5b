/** Whether a host name or address is this machine's own and no other's. IPv6 with or without its brackets. */
export const isLoopback = (host: string): boolean =>
  /^(localhost|127(\.(\d{1,2}|1\d\d|2[0-4]\d|25[0-5])){3}|::1|\[::1\])$/i.test(host)

/** The host of a `Host` header, without its port; undefined for what is none. */
export const hostOf = (header: string): string | undefined => /^([^:[\]/@?#]+|\[[^\]]+\])(:\d{1,5})?$/.exec(header)?.[1]

/** Whether what goes there cannot be read or changed on its way: https, or http to this machine. */
export const isSafeUrl = ({ protocol, hostname }: URL): boolean =>
  protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname))
