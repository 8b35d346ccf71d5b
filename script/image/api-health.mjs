// HEALTHCHECK of the api image: exit 0 while the process answers. Not /readyz: a Redis that is away makes an API unready,
// and restarting the API for it would help nobody.
const response = await fetch(`http://127.0.0.1:${process.env.PORT ?? '8080'}/healthz`, {
  signal: AbortSignal.timeout(4_000),
})
if (!response.ok) throw new Error(`GET /healthz: expected 200, got ${response.status}`)
