// A REST plugin for Parley, in Node alone, without packages: it says when the tea is ready.
//
//     PARLEY_SIGNING_SECRET=whsec_... node plugin.mjs [PORT]
//     PARLEY_URL=http://... PARLEY_REGISTRY_KEY=prl_reg_... node plugin.mjs [PORT]
//
// The first form takes the secret that Parley's configuration has; the second registers itself and gets one.
// PLUGIN_URL is where Parley reaches it, default http://127.0.0.1:PORT. It prints its port when it listens.
import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { Registration } from './registration.mjs'
import { Answers, keyOf, verify } from './webhook.mjs'

const BODY_MAX = 1 << 20

const TEXTS = {
  en: {
    brewing: ({ ticket, time }) => `Tea number ${ticket} is brewing: ${time}.`,
    ready: ({ ticket }) => `Tea number ${ticket} is ready!`, again: 'Another one', usage: 'For example: /tea 3m',
  },
  ru: {
    brewing: ({ ticket, time }) => `Чай номер ${ticket} заваривается: ${time}.`,
    ready: ({ ticket }) => `Чай номер ${ticket} готов!`, again: 'Ещё один', usage: 'Например: /tea 3m',
  },
  uk: {
    brewing: ({ ticket, time }) => `Чай номер ${ticket} заварюється: ${time}.`,
    ready: ({ ticket }) => `Чай номер ${ticket} готовий!`, again: 'Ще один', usage: 'Наприклад: /tea 3m',
  },
}

const say = (text, more) => ({ actions: [{ type: 'send', text, ...more }] })

// `time` is like 90s or 3m. A job of ours comes back when it is over, a button when it is pressed.
function brew(texts, time) {
  const [, n, unit] = time.match(/^(\d{1,3})([sm])$/)
  const ticket = randomInt(10000, 100000)
  const answer = say(texts.brewing({ ticket, time }), { buttons: [[{ text: texts.again, data: { time } }]] })
  answer.actions.push({ type: 'schedule', in: Number(n) * (unit === 'm' ? 60 : 1), job: 'ready', data: { ticket } })
  return answer
}

/** InvokeRequestV1 -> InvokeResponseV1. */
function answer({ event, user }) {
  const texts = TEXTS[user.locale?.slice(0, 2)] ?? TEXTS.en
  if (event.type === 'job') return event.job === 'ready' ? say(texts.ready(event.data)) : { actions: [] }
  const wanted = event.type === 'callback' ? event.message.payload?.data?.time
    : event.message?.text?.match(/^\/tea(?:@\S+)?\s+(\S+)\s*$/)?.[1]
  return /^\d{1,3}[sm]$/.test(wanted) ? brew(texts, wanted) : say(texts.usage)
}

// --- HTTP ----------------------------------------------------------------------------------------

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
  manifest = JSON.parse(readFileSync(new URL('manifest.json', import.meta.url)))

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
    return this.answers.once(request.headers['webhook-id'], () => answer(envelope))
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

function main() {
  const { PARLEY_SIGNING_SECRET: secret, PARLEY_URL: url, PARLEY_REGISTRY_KEY: registryKey } = process.env
  if (!secret && !(url && registryKey)) {
    console.error('PARLEY_SIGNING_SECRET is needed, or PARLEY_URL and PARLEY_REGISTRY_KEY')
    process.exit(1)
  }
  const plugin = new Plugin()
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

main()
