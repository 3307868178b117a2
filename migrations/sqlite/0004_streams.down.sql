ALTER TABLE streams RENAME TO events_to_keep;
CREATE TABLE streams (
  id         TEXT PRIMARY KEY,
  owner      TEXT NOT NULL,
  stream     TEXT NOT NULL,
  payload    TEXT NOT NULL,
  created_at INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO streams (id, owner, stream, payload, created_at)
  SELECT substr('00000000000000000000' || id, -20), '', stream, payload, created_at FROM events_to_keep;
DROP TABLE events_to_keep;
