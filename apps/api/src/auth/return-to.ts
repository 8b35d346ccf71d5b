/**
 * A path of this API to go to after a login; `/` for everything else. What begins with two slashes, or one and a backslash, is
 * another host to a browser; control characters it leaves out before it looks. The URL is read as a browser reads it.
 */
export function localPath(path: unknown, own: URL): string {
  if (typeof path !== 'string' || !/^\/[\x21-\x5b\x5d-\x7e]{0,1000}$/.test(path)) return '/'
  const url = URL.canParse(path, own.href) ? new URL(path, own) : undefined
  if (url?.origin !== own.origin) return '/'
  // Without its dots `/..//host` begins with two slashes as well.
  return url.pathname.startsWith('//') ? '/' : `${url.pathname}${url.search}${url.hash}`
}
