// What both stores ask of PostgreSQL; a name makes pg prepare a statement once per connection.
export const LOAD = {
  name: 'load',
  text: `SELECT d.user_id, d.status, d.reset_version, d.state, d.version, u.id AS known_user,
      e.body_hash, e.response
    FROM (SELECT 1) one LEFT JOIN dialogs d ON d.id = $1 LEFT JOIN users u ON u.external_id = $2
      LEFT JOIN inbox e ON e.source = $3 AND e.key = $4`,
}

export const CREATE_USER = {
  name: 'create_user',
  text: `INSERT INTO users (id, external_id, locale, name, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $5)
    ON CONFLICT (external_id) DO UPDATE SET updated_at = $5 RETURNING id`,
}

export const TOKEN = {
  name: 'token',
  text: 'SELECT scopes, hash FROM tokens WHERE id = $1 AND revoked_at IS NULL',
}

// Updates only the version that was read; no row comes back when somebody else was faster.
export const DIALOG = {
  name: 'dialog',
  text: `INSERT INTO dialogs (id, user_id, channel, status, reset_version, state, version, created_at, last_message_at)
    VALUES ($1, $2, 'api', 'active', $3, $4, 1, $5, $5)
    ON CONFLICT (id) DO UPDATE SET state = $4, version = $6 + 1, last_message_at = $5 WHERE dialogs.version = $6
    RETURNING id`,
}
