ALTER TABLE streams RENAME TO events_to_keep;
ALTER INDEX streams_pkey RENAME TO events_to_keep_pkey;
CREATE TABLE streams (
  id         TEXT COLLATE "C" PRIMARY KEY,
  owner      TEXT COLLATE "C" NOT NULL,
  stream     TEXT COLLATE "C" NOT NULL,
  payload    TEXT NOT NULL,
  created_at BIGINT NOT NULL
);
INSERT INTO streams (id, owner, stream, payload, created_at)
  SELECT lpad(id::text, 20, '0'), '', stream, payload, created_at FROM events_to_keep;
DROP TABLE events_to_keep;
