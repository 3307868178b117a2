// The message path: token, idempotency by message_id, user, dialog, its state from Redis, a plugin in the process,
// one transaction, then the state with its TTL and the events to Redis.
import { createHash, randomBytes, randomFillSync, timingSafeEqual } from 'node:crypto'
import Fastify from 'fastify'

const STATE_TTL = 600
const STREAM_LENGTH = 10000
const TOKEN_TTL_MS = 60000
const TRIES = 10
const UNIQUE_VIOLATION = '23505'

const sha256 = (text) => createHash('sha256').update(text).digest('hex')

// UUIDv7, keys that grow; random bytes are asked for by the block.
const pool = Buffer.alloc(10 * 512)
let used = pool.length
function newId() {
  if (used === pool.length) { randomFillSync(pool); used = 0 }
  const random = pool.toString('hex', used, used + 10)
  used += 10
  const at = Date.now().toString(16).padStart(12, '0')
  const variant = (8 + (parseInt(random[3], 16) & 3)).toString(16)
  return `${at.slice(0, 8)}-${at.slice(8)}-7${random.slice(0, 3)}-${variant}${random.slice(4, 7)}-${random.slice(7, 19)}`
}

function problem(status, message) {
  return Object.assign(new Error(message), { statusCode: status })
}

// A token that was right is known for a while, as in Parley; its hash is SHA-256, not bcrypt.
function tokens(store) {
  const known = new Map()
  return async (token) => {
    if (!token?.startsWith('prl_bot_')) throw problem(401, 'token expected')
    const digest = sha256(token)
    if (known.get(digest) > Date.now()) return
    const row = await store.token(token.split('_')[2])
    if (!row || !timingSafeEqual(Buffer.from(row.hash), Buffer.from(digest))) throw problem(401, 'unknown token')
    if (!JSON.parse(row.scopes).includes('dialogs:write')) throw problem(403, 'scope dialogs:write expected')
    known.set(digest, Date.now() + TOKEN_TTL_MS)
  }
}

// The plugin: the same that the load asks of Parley.
function echo(text, state = {}) {
  return [text.slice(text.indexOf(' ') + 1), { ...state, count: (state.count ?? 0) + 1 }]
}

const schema = {
  params: {
    type: 'object',
    properties: { dialogId: { type: 'string', pattern: '^[A-Za-z0-9._:-]{1,64}$' } },
  },
  body: {
    type: 'object',
    additionalProperties: false,
    required: ['user', 'type', 'text', 'message_id'],
    properties: {
      user: {
        type: 'object',
        additionalProperties: false,
        required: ['external_id'],
        properties: {
          external_id: { type: 'string', minLength: 1, maxLength: 128 },
          locale: { type: 'string' },
          name: { type: 'string' },
        },
      },
      type: { enum: ['text', 'command', 'callback', 'event'] },
      text: { type: 'string', maxLength: 16384 },
      message_id: { type: 'string', minLength: 1, maxLength: 64 },
    },
  },
}

export function buildApp(store, redis) {
  const app = Fastify({ ajv: { customOptions: { removeAdditional: false } } })
  const checkToken = tokens(store)

  // One try: undefined when somebody else changed the dialog meanwhile.
  async function answer(dialogId, message) {
    const received = Date.now()
    const began = performance.now()
    const traceId = randomBytes(16).toString('hex')
    const source = 'dialog:' + dialogId
    const body = JSON.stringify(message)
    const bodyHash = sha256(body)
    const stateKey = 'dialog:state:' + dialogId
    const [row, cached] = await Promise.all([
      store.load(dialogId, message.user.external_id, source, message.message_id),
      redis.get(stateKey),
    ])
    if (row.body_hash) {
      if (row.body_hash !== bodyHash) throw problem(409, 'idempotency_mismatch')
      return row.response
    }
    const { user } = message
    const userId = row.known_user
      ?? await store.createUser(newId(), user.external_id, user.locale, user.name, received)
    const before = JSON.parse(cached ?? row.state ?? '{}')

    const called = performance.now()
    const [text, own] = echo(message.text, before.echo)
    const pluginMs = performance.now() - called
    const state = JSON.stringify({ ...before, echo: own })
    const [inboundId, replyId, invocationId] = [newId(), newId(), newId()]
    const actions = [{ type: 'send', text }]
    const resetVersion = row.reset_version ?? 0
    const response = JSON.stringify({
      dialog_id: dialogId, message_id: message.message_id, status: 'answered', reset_version: resetVersion, actions,
      reply_message_id: replyId, text, plugin: { name: 'echo', version: '1.0.0' },
      latency_ms: { total: performance.now() - began, plugin: pluginMs }, trace_id: traceId,
    })
    const written = await store.commit({
      dialogId, userId, resetVersion, state, version: row.version ?? 0, received, finished: Date.now(), source,
      key: message.message_id, bodyHash, response, traceId, inboundId, body, replyId, invocationId, pluginMs,
      reply: JSON.stringify({ status: 'answered', plugin: 'echo', in_reply_to: inboundId, actions }),
      details: JSON.stringify({ invocation_id: invocationId }), auditIds: [newId(), newId()],
    })
    if (!written) return
    const commands = redis.pipeline().set(stateKey, state, 'EX', STATE_TTL)
    for (const event of ['plugin_invocation_started', 'plugin_invocation_completed']) {
      commands.xadd('plugin:invocations:echo', 'MAXLEN', '~', STREAM_LENGTH, '*',
        'event', event, 'invocation_id', invocationId, 'trace_id', traceId)
    }
    await commands.exec()
    return response
  }

  app.post('/api/v1/dialogs/:dialogId/messages', { schema }, async (request, reply) => {
    await checkToken(request.headers['x-bot-token'])
    reply.type('application/json')
    for (let tries = 0; tries < TRIES; tries++) {
      try {
        const response = await answer(request.params.dialogId, request.body)
        if (response) return response
      } catch (err) {
        if (err.code !== UNIQUE_VIOLATION) throw err
      }
    }
    throw problem(409, 'conflict')
  })
  return app
}
