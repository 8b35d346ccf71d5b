/** As much of a browser as a login needs: cookies by host, redirects, forms. */
export class Browser {
  readonly #cookies = new Map<string, Map<string, string>>()
  /** All Set-Cookie headers that it was sent. */
  readonly set: string[] = []

  cookies(url: string): Map<string, string> {
    const { host } = new URL(url)
    const jar = this.#cookies.get(host) ?? new Map<string, string>()
    this.#cookies.set(host, jar)
    return jar
  }

  /** One request, without following redirects. */
  async send(url: string, { method = 'GET', headers = {}, form }: Sending = {}): Promise<Response> {
    const jar = this.cookies(url)
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(url, {
      method,
      redirect: 'manual',
      headers: { ...headers, ...(cookie && { Cookie: cookie }) },
      ...(form && { body: new URLSearchParams(form) }),
    })
    for (const line of response.headers.getSetCookie()) {
      this.set.push(line)
      const [pair = ''] = line.split(';')
      const [name = '', ...value] = pair.split('=')
      if (/expires=Thu, 01 Jan 1970|max-age=0/i.test(line)) jar.delete(name)
      else jar.set(name, value.join('='))
    }
    return response
  }

  /**
   * Follows redirects, and says at the authority's forms who one is, until `until` is where it is sent next; returns that
   * address without going there.
   */
  async follow(from: string, name: string, until: (url: URL) => boolean): Promise<URL> {
    let at = new URL(from)
    let response = await this.send(at.href)
    for (let steps = 0; steps < 20; steps++) {
      const location = response.headers.get('location')
      if (location !== null) {
        await response.body?.cancel()
        at = new URL(location, at)
        if (until(at)) return at
        response = await this.send(at.href)
        continue
      }
      const page = await response.text()
      const action = /action="([^"]+)"/.exec(page)?.[1]
      const prompt = /name="prompt" value="(\w+)"/.exec(page)?.[1]
      if (action === undefined || prompt === undefined) throw new Error(`no form at ${at.href}: ${page.slice(0, 300)}`)
      at = new URL(action, at)
      response = await this.send(at.href, { method: 'POST', form: { prompt, login: name, password: 'x' } })
    }
    throw new Error('too many redirects')
  }
}

interface Sending {
  method?: string
  headers?: Record<string, string>
  form?: Record<string, string>
}
