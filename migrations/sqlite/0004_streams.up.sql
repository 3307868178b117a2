-- Events on their way to Redis are published in the order of their numbers: a turn that begins when
-- another one is stored gets a higher one, whatever the clocks of the instances say. AUTOINCREMENT: a
-- number is never given twice, so that a publisher which is late cannot take another event away.
CREATE TABLE events_to_keep AS SELECT stream, payload, created_at FROM streams ORDER BY id;
DROP TABLE streams;
CREATE TABLE streams (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  stream     TEXT NOT NULL,
  payload    TEXT NOT NULL, -- JSON: what is published
  created_at INTEGER NOT NULL
);
INSERT INTO streams (stream, payload, created_at)
  SELECT stream, payload, created_at FROM events_to_keep ORDER BY rowid;
DROP TABLE events_to_keep;
