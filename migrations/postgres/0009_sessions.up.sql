-- Sessions of plugins whose manifest says "scope": "user": one for all dialogs of a user. Those of
-- a dialog are in dialogs.state.
CREATE TABLE sessions (
  plugin     TEXT COLLATE "C" NOT NULL,
  user_id    TEXT COLLATE "C" NOT NULL,
  state      TEXT NOT NULL,               -- JSON
  version    BIGINT NOT NULL,             -- of the row: a turn commits only on the one it read
  expires_at BIGINT,
  PRIMARY KEY (plugin, user_id)
);
