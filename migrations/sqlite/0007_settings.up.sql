-- What all instances go by and no file says: it was changed while they run.
CREATE TABLE settings (
  name       TEXT PRIMARY KEY,
  value      TEXT NOT NULL,               -- JSON
  updated_at INTEGER NOT NULL
) WITHOUT ROWID;
