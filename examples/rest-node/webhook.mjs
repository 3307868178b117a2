// What every REST plugin of Parley needs: signatures (Standard Webhooks), and one effect for one call.
import { createHmac, timingSafeEqual } from 'node:crypto'

const TOLERANCE = 300 // seconds that a timestamp may be off: a recorded call cannot be replayed later
const PREFIX = 'whsec_'

/** The bytes that a secret stands for. Throws when it is none. */
export function keyOf(secret) {
  const text = secret.slice(PREFIX.length)
  if (!secret.startsWith(PREFIX) || !/^[A-Za-z0-9+/]+=*$/.test(text)) {
    throw new Error(`a secret is ${PREFIX} and base64`)
  }
  return Buffer.from(text, 'base64')
}

/** webhook-signature of a body (a Buffer): HMAC-SHA256 over "id.timestamp.body". */
export function sign(key, id, timestamp, body) {
  return 'v1,' + createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64')
}

// In constant time; timingSafeEqual wants the same number of bytes.
function equal(a, b) {
  const [left, right] = [Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1')]
  return left.length === right.length && timingSafeEqual(left, right)
}

/** null when a call is Parley's, else what is wrong. `headers` in lower case; `now` is seconds since 1970. */
export function verify(key, headers, body, now) {
  const [id, timestamp, given] = ['id', 'timestamp', 'signature'].map((name) => headers['webhook-' + name] ?? '')
  if (id === '') return 'webhook-id is missing'
  if (!/^[0-9]{1,12}$/.test(timestamp)) return 'webhook-timestamp is missing, or no number'
  if (Math.abs(now - Number(timestamp)) > TOLERANCE) return 'webhook-timestamp is too old or too new'
  const expected = sign(key, id, timestamp, body)
  // More than one signature may be given while the secret is being changed.
  if (!given.split(' ').some((signature) => equal(expected, signature))) return 'webhook-signature does not fit'
  return null
}

/**
 * The first answer to each webhook-id, for calls that come again, also while the first one still runs.
 *
 * In memory, so a restart forgets them: a plugin that does more than answer keeps the id in its database, in the
 * transaction of what it does.
 */
export class Answers {
  #answers = new Map() // webhook-id -> promise; a Map keeps the order in which they came
  #most

  constructor(most = 1000) {
    this.#most = most
  }

  once(id, make) {
    const known = this.#answers.get(id)
    if (known) return known
    const answer = new Promise((resolve) => resolve(make()))
    this.#answers.set(id, answer)
    answer.catch(() => this.#answers.delete(id)) // nothing was done: the next attempt may succeed
    if (this.#answers.size > this.#most) this.#answers.delete(this.#answers.keys().next().value)
    return answer
  }
}
