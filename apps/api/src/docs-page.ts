import { dirname } from 'node:path'
import express, { type RequestHandler, Router } from 'express'
import { pagePolicy } from './edges/security-headers'

const page = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>Deblox API</title>
    <link rel="stylesheet" href="docs/swagger-ui.css">
    <link rel="icon" href="docs/favicon-32x32.png">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="docs/swagger-ui-bundle.js"></script>
    <script src="docs/start.js"></script>
  </body>
</html>
`

const start = `SwaggerUIBundle({ url: 'openapi.json', dom_id: '#swagger-ui', deepLinking: true, tryItOutEnabled: true })\n`

const policy = pagePolicy({
  'script-src': ["'self'"],
  'style-src': ["'self'"],
  // Icons that the style sheet has within itself.
  'img-src': ["'self'", 'data:'],
  // The description, and what is tried out.
  'connect-src': ["'self'"],
})

/** Where its files are. The package itself would load all of them here, where nobody shows them. */
const folder = dirname(require.resolve('swagger-ui-dist/package.json'))

/** The API's description for people: Swagger UI from its package, so that it works without the internet. */
export function docsPage(): RequestHandler {
  const router = Router({ strict: true })
  router.use(policy)
  router.get('/', (request, response) => {
    // The page's links are relative to the folder above.
    if (request.originalUrl.endsWith('/')) response.redirect('../docs')
    else response.type('html').send(page)
  })
  router.get('/start.js', (_request, response) => {
    response.type('js').send(start)
  })
  router.use(express.static(folder, { index: false }))
  return router
}
