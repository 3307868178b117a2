// As few round trips as PostgreSQL allows: all rows of a message in one statement, and connections on which a query
// does not wait for the answer to the one before.
import pg from 'pg'
import { CREATE_USER, DIALOG, LOAD, TOKEN } from './statements.js'

const CONNECTIONS = 4

// Every row hangs on the dialog's: somebody else who was faster there leaves nothing to insert from.
const COMMIT = {
  name: 'commit',
  text: `WITH d AS (${DIALOG.text}), i AS (
      INSERT INTO inbox (source, key, dialog_id, state, body_hash, response, trace_id, received_at)
      SELECT $7, $8, d.id, 'done', $9, $10, $11, $5 FROM d
    ), m AS (
      INSERT INTO messages (dialog_id, id, reset_version, sender_type, payload, trace_id, created_at)
      SELECT d.id, v.id, $3, v.sender, v.payload, $11, v.at
      FROM d, (VALUES ($12, 'user', $13, $5), ($14, 'plugin', $15, $16::bigint)) v (id, sender, payload, at)
    ), c AS (
      INSERT INTO plugin_calls (id, plugin_id, dialog_id, attempt, status, latency_ms, trace_id, started_at,
        finished_at)
      SELECT $17, 'echo', d.id, 1, 'ok', $18, $11, $5, $16::bigint FROM d
    ), a AS (
      INSERT INTO audit_logs (id, source, action, severity, trace_id, details, created_at)
      SELECT v.id, 'echo', v.action, 'info', $11, $19, v.at
      FROM d, (VALUES ($20, 'plugin_invocation_started', $5), ($21, 'plugin_invocation_completed', $16::bigint))
        v (id, action, at)
    )
    SELECT id FROM d`,
}

export async function openPipelined(url) {
  const clients = await Promise.all(Array.from({ length: CONNECTIONS }, async () => {
    const client = new pg.Client({ connectionString: url, pipeline: true })
    await client.connect()
    return client
  }))
  let next = 0
  const run = async (statement, values) =>
    (await clients[next++ % CONNECTIONS].query({ ...statement, values })).rows[0]

  return {
    load: (...values) => run(LOAD, values),
    createUser: async (...values) => (await run(CREATE_USER, values)).id,
    token: (id) => run(TOKEN, [id]),
    commit: async (t) => (await run(COMMIT, [
      t.dialogId, t.userId, t.resetVersion, t.state, t.received, t.version, t.source, t.key, t.bodyHash, t.response,
      t.traceId, t.inboundId, t.body, t.replyId, t.reply, t.finished, t.invocationId, t.pluginMs, t.details,
      ...t.auditIds,
    ])) !== undefined,
  }
}
