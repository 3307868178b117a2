// What every REST plugin does: it serves GET /manifest and POST /invoke, checks who calls, answers a repeated call with
// the first answer, registers when it is told to. `serve(answer, manifestUrl)` is all that a plugin calls.
//
// Settings come from the environment: PARLEY_SIGNING_SECRET, the secret that Parley's configuration has; or PARLEY_URL
// and PARLEY_REGISTRY_KEY, to register and be given one. PLUGIN_URL is where Parley reaches it, default
// http://127.0.0.1:PORT.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { Registration } from './registration.mjs'
import { Answers, keyOf, verify } from './webhook.mjs'

const BODY_MAX = 1 << 20

class Refusal extends Error {
  constructor(status, message, headers = {}) {
    super(message)
    Object.assign(this, { status, headers })
  }
}

async function bodyOf(request) {
  const tooLarge = () => new Refusal(413, 'the body is too large', { Connection: 'close' })
  if (Number(request.headers['content-length']) > BODY_MAX) throw tooLarge()
  const chunks = []
  let size = 0
  for await (const chunk of request) {
    size += chunk.length
    if (size > BODY_MAX) throw tooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function parse(body) {
  try {
    return JSON.parse(body)
  } catch (problem) {
    throw new Refusal(400, `not JSON: ${problem.message}`)
  }
}

class Plugin {
  key = null // until Parley has given one
  inflight = 0
  answers = new Answers()

  constructor(answer, manifest) {
    Object.assign(this, { answer, manifest })
  }

  useSecret(secret) {
    this.key = keyOf(secret)
  }

  async respond(request) {
    if (request.url === '/manifest' && request.method !== 'POST') return this.manifest
    if (request.url !== '/invoke') throw new Refusal(404, 'no such path')
    if (request.method !== 'POST') throw new Refusal(405, 'POST only', { Allow: 'POST' })
    const body = await bodyOf(request)
    if (!this.key) throw new Refusal(503, 'not registered yet', { 'Retry-After': '1' }) // Parley comes again
    const problem = verify(this.key, request.headers, body, Date.now() / 1000)
    if (problem) throw new Refusal(401, problem)
    const envelope = parse(body)
    return this.answers.once(request.headers['webhook-id'], () => this.answer(envelope))
  }

  async serve(request, response) {
    let [status, document, headers] = [200, null, {}]
    this.inflight++
    try {
      document = await this.respond(request)
    } catch (problem) {
      if (!(problem instanceof Refusal)) console.error('plugin:', problem)
      status = problem.status ?? 500
      document = { error: problem instanceof Refusal ? problem.message : "see the plugin's log" }
      headers = problem.headers ?? {}
    } finally {
      this.inflight--
    }
    response.writeHead(status, { 'Content-Type': 'application/json', ...headers })
    response.end(JSON.stringify(document))
    console.error(`plugin: "${request.method} ${request.url}" ${status}`)
  }
}

/**
 * Serves for ever, on the port that the command line has; prints it when it listens. `answer` makes an InvokeResponseV1 of
 * an InvokeRequestV1; `manifestUrl` is where manifest.json lies.
 */
export function serve(answer, manifestUrl) {
  const { PARLEY_SIGNING_SECRET: secret, PARLEY_URL: url, PARLEY_REGISTRY_KEY: registryKey } = process.env
  if (!secret && !(url && registryKey)) {
    console.error('PARLEY_SIGNING_SECRET is needed, or PARLEY_URL and PARLEY_REGISTRY_KEY')
    process.exit(1)
  }
  const plugin = new Plugin(answer, JSON.parse(readFileSync(manifestUrl)))
  if (secret) plugin.useSecret(secret)
  const server = createServer((request, response) => plugin.serve(request, response))
  server.keepAliveTimeout = 130_000 // longer than Parley keeps a connection: it closes first, and none dies in use
  server.listen(Number(process.argv[2] ?? 9001), '127.0.0.1', () => {
    const { port } = server.address()
    plugin.manifest.endpoint = process.env.PLUGIN_URL ?? `http://127.0.0.1:${port}`
    console.log(port)
    if (url && registryKey) {
      const path = process.env.PARLEY_CREDENTIALS ?? 'parley-credentials.json'
      new Registration({ url, registryKey, manifest: plugin.manifest, path })
        .run((given) => plugin.useSecret(given), () => plugin.inflight)
    }
  })
}
