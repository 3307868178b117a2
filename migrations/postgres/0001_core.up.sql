-- Ids are UUIDv7 text: they grow, so the primary keys are filled from the right. Keys compare by
-- bytes (COLLATE "C"): it is faster, and the order is that of SQLite. Times are integer
-- milliseconds since the epoch, UTC. JSON is text. Every index is paid for on the hot path: each says
-- which query needs it.

CREATE TABLE users (
  id          TEXT COLLATE "C" PRIMARY KEY,
  telegram_id BIGINT UNIQUE,              -- upsert by channel identity
  external_id TEXT COLLATE "C" UNIQUE,    -- the same
  role        TEXT NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'operator', 'admin')),
  locale      TEXT,
  name        TEXT COLLATE "C",
  attributes  TEXT,
  created_at  BIGINT NOT NULL,
  updated_at  BIGINT NOT NULL
);

CREATE TABLE dialogs (
  id              TEXT COLLATE "C" PRIMARY KEY,
  user_id         TEXT COLLATE "C" NOT NULL,
  channel         TEXT NOT NULL,
  locale          TEXT,
  status          TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'handoff', 'closed')),
  reset_version   INTEGER NOT NULL DEFAULT 0,
  state           TEXT,                   -- JSON: session of each plugin, who holds the conversation
  version         BIGINT NOT NULL,        -- of the row: a turn commits only on the one it read
  created_at      BIGINT NOT NULL,
  last_message_at BIGINT NOT NULL
) WITH (fillfactor = 70); -- every turn updates its row: in the same page, no index is touched

-- Keyed by dialog, so that a history is one range of the primary key and needs no index.
CREATE TABLE messages (
  dialog_id     TEXT COLLATE "C" NOT NULL,
  id            TEXT COLLATE "C" NOT NULL,
  reset_version INTEGER NOT NULL,
  sender_type   TEXT NOT NULL CHECK (sender_type IN ('user', 'plugin', 'operator', 'system')),
  payload       TEXT NOT NULL,
  llm_usage     TEXT,
  trace_id      TEXT NOT NULL,
  created_at    BIGINT NOT NULL,
  PRIMARY KEY (dialog_id, id)
);

-- Every message that came in, once: its natural key is what makes a repetition one. A row is open
-- until its turn has committed, and then holds the answer for whoever asks again.
CREATE TABLE inbox (
  source      TEXT COLLATE "C" NOT NULL,  -- 'dialog:<id>' or 'bot:<id>'
  key         TEXT COLLATE "C" NOT NULL,  -- message_id or update_id
  dialog_id   TEXT COLLATE "C" NOT NULL,
  state       TEXT NOT NULL CHECK (state IN ('open', 'done', 'failed')),
  attempts    INTEGER NOT NULL DEFAULT 0,
  payload     TEXT,                       -- the message; dropped when the turn is done
  body_hash   TEXT NOT NULL,
  response    TEXT,
  trace_id    TEXT NOT NULL,
  received_at BIGINT NOT NULL,
  PRIMARY KEY (source, key)
);

-- Recovery after a crash asks for what is open; hardly any row ever is.
CREATE INDEX inbox_open ON inbox (received_at) WHERE state = 'open';

CREATE TABLE plugins (
  id                        TEXT COLLATE "C" PRIMARY KEY,
  name                      TEXT COLLATE "C" NOT NULL UNIQUE,
  version                   TEXT NOT NULL,
  transport                 TEXT NOT NULL CHECK (transport IN ('lua', 'rest')),
  status                    TEXT NOT NULL CHECK (status IN ('registered', 'active', 'degraded', 'disabled')),
  manifest                  TEXT NOT NULL,
  manifest_hash             TEXT NOT NULL,
  heartbeat_interval_sec    INTEGER,
  supported_schema_versions TEXT,
  last_heartbeat            BIGINT,
  created_at                BIGINT NOT NULL,
  updated_at                BIGINT NOT NULL
);

CREATE TABLE plugin_calls (
  id            TEXT COLLATE "C" PRIMARY KEY, -- the invocation id
  plugin_id     TEXT COLLATE "C" NOT NULL,
  dialog_id     TEXT COLLATE "C" NOT NULL,
  attempt       INTEGER NOT NULL,
  status        TEXT NOT NULL,
  latency_ms    DOUBLE PRECISION NOT NULL,
  error_code    TEXT,
  request       TEXT,
  response      TEXT,
  trace_id      TEXT NOT NULL,
  started_at    BIGINT NOT NULL,
  finished_at   BIGINT NOT NULL
);

CREATE TABLE plugin_events (
  id          TEXT COLLATE "C" PRIMARY KEY,
  plugin_id   TEXT COLLATE "C" NOT NULL,
  event_type  TEXT NOT NULL,
  severity    TEXT NOT NULL CHECK (severity IN ('debug', 'info', 'warning', 'error', 'critical')),
  payload     TEXT,
  trace_id    TEXT NOT NULL,
  occurred_at BIGINT NOT NULL
);

CREATE TABLE audit_logs (
  id         TEXT COLLATE "C" PRIMARY KEY,
  source     TEXT COLLATE "C" NOT NULL,
  action     TEXT NOT NULL,
  severity   TEXT NOT NULL CHECK (severity IN ('debug', 'info', 'warning', 'error', 'critical')),
  trace_id   TEXT NOT NULL,
  details    TEXT,
  created_at BIGINT NOT NULL
);

CREATE TABLE tokens (
  id           TEXT COLLATE "C" PRIMARY KEY,
  kind         TEXT NOT NULL CHECK (kind IN ('bot', 'plg', 'reg', 'adm')),
  scopes       TEXT NOT NULL,             -- JSON list
  hash         TEXT NOT NULL,             -- bcrypt of the secret
  old_hash     TEXT,                      -- valid beside it while the secret is rotated
  label        TEXT,
  created_at   BIGINT NOT NULL,
  expires_at   BIGINT,
  last_used_at BIGINT,
  revoked_at   BIGINT
);

CREATE TABLE outbox (
  id         TEXT COLLATE "C" PRIMARY KEY,
  dialog_id  TEXT COLLATE "C" NOT NULL,
  channel    TEXT NOT NULL,
  lane       TEXT NOT NULL,
  action     TEXT NOT NULL,
  state      TEXT NOT NULL CHECK (state IN ('open', 'sent', 'uncertain', 'dead')),
  attempts   INTEGER NOT NULL DEFAULT 0,
  not_before BIGINT NOT NULL,
  trace_id   TEXT NOT NULL,
  created_at BIGINT NOT NULL
);

-- The sender asks for what is due.
CREATE INDEX outbox_due ON outbox (not_before) WHERE state = 'open';

CREATE TABLE dead_letters (
  id         TEXT COLLATE "C" PRIMARY KEY,
  source     TEXT COLLATE "C" NOT NULL,
  payload    TEXT NOT NULL,
  error      TEXT NOT NULL,
  attempts   INTEGER NOT NULL,
  trace_id   TEXT NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE jobs (
  id         TEXT COLLATE "C" PRIMARY KEY,
  plugin     TEXT COLLATE "C" NOT NULL,
  job        TEXT NOT NULL,
  dialog_id  TEXT COLLATE "C" NOT NULL,
  data       TEXT,
  run_at     BIGINT NOT NULL,
  state      TEXT NOT NULL CHECK (state IN ('open', 'done', 'failed', 'cancelled')),
  attempts   INTEGER NOT NULL DEFAULT 0,
  trace_id   TEXT NOT NULL,
  created_at BIGINT NOT NULL
);

-- The scheduler asks for what is due next.
CREATE INDEX jobs_due ON jobs (run_at) WHERE state = 'open';

CREATE TABLE idempotency (
  scope      TEXT COLLATE "C" NOT NULL,   -- token id, method and path
  key        TEXT COLLATE "C" NOT NULL,
  body_hash  TEXT NOT NULL,
  status     INTEGER NOT NULL,
  response   TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (scope, key)
);

CREATE TABLE kv (
  plugin     TEXT COLLATE "C" NOT NULL,
  scope      TEXT COLLATE "C" NOT NULL,
  key        TEXT COLLATE "C" NOT NULL,
  value      TEXT NOT NULL,
  expires_at BIGINT,
  PRIMARY KEY (plugin, scope, key)
);

-- Streams of events, capped by their reader; position grows within a stream.
CREATE TABLE streams (
  stream     TEXT COLLATE "C" NOT NULL,
  id         TEXT COLLATE "C" NOT NULL,
  payload    TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (stream, id)
);
