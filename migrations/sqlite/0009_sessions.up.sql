-- Sessions of plugins whose manifest says "scope": "user": one for all dialogs of a user. Those of
-- a dialog are in dialogs.state.
CREATE TABLE sessions (
  plugin     TEXT NOT NULL,
  user_id    TEXT NOT NULL,
  state      TEXT NOT NULL,               -- JSON
  version    INTEGER NOT NULL,            -- of the row: a turn commits only on the one it read
  expires_at INTEGER,
  PRIMARY KEY (plugin, user_id)
) WITHOUT ROWID;
