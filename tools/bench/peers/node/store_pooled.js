// The usual way: a pool, BEGIN, one statement after the other, COMMIT.
import pg from 'pg'
import { CREATE_USER, DIALOG, LOAD, TOKEN } from './statements.js'

const INBOX = {
  name: 'inbox',
  text: `INSERT INTO inbox (source, key, dialog_id, state, body_hash, response, trace_id, received_at)
    VALUES ($1, $2, $3, 'done', $4, $5, $6, $7)`,
}
const MESSAGES = {
  name: 'messages',
  text: `INSERT INTO messages (dialog_id, id, reset_version, sender_type, payload, trace_id, created_at)
    VALUES ($1, $2, $3, 'user', $4, $5, $6), ($1, $7, $3, 'plugin', $8, $5, $9)`,
}
const CALL = {
  name: 'call',
  text: `INSERT INTO plugin_calls (id, plugin_id, dialog_id, attempt, status, latency_ms, trace_id, started_at,
      finished_at) VALUES ($1, 'echo', $2, 1, 'ok', $3, $4, $5, $6)`,
}
const AUDIT = {
  name: 'audit',
  text: `INSERT INTO audit_logs (id, source, action, severity, trace_id, details, created_at)
    VALUES ($1, 'echo', 'plugin_invocation_started', 'info', $2, $3, $4),
      ($5, 'echo', 'plugin_invocation_completed', 'info', $2, $3, $6)`,
}

export async function openPooled(url) {
  const pool = new pg.Pool({ connectionString: url, max: 16 })
  const run = async (on, statement, values) => (await on.query({ ...statement, values })).rows[0]

  async function write(client, t) {
    const dialog = await run(client, DIALOG,
      [t.dialogId, t.userId, t.resetVersion, t.state, t.received, t.version])
    if (!dialog) return false
    await run(client, INBOX, [t.source, t.key, t.dialogId, t.bodyHash, t.response, t.traceId, t.received])
    await run(client, MESSAGES,
      [t.dialogId, t.inboundId, t.resetVersion, t.body, t.traceId, t.received, t.replyId, t.reply, t.finished])
    await run(client, CALL, [t.invocationId, t.dialogId, t.pluginMs, t.traceId, t.received, t.finished])
    await run(client, AUDIT, [t.auditIds[0], t.traceId, t.details, t.received, t.auditIds[1], t.finished])
    return true
  }

  async function commit(turn) {
    const client = await pool.connect()
    try {
      await client.query('BEGIN')
      const written = await write(client, turn)
      await client.query(written ? 'COMMIT' : 'ROLLBACK')
      return written
    } catch (err) {
      await client.query('ROLLBACK')
      throw err
    } finally {
      client.release()
    }
  }

  return {
    load: (...values) => run(pool, LOAD, values),
    createUser: async (...values) => (await run(pool, CREATE_USER, values)).id,
    token: (id) => run(pool, TOKEN, [id]),
    commit,
  }
}
