-- Files of plugins: what users have sent, and what is to be sent to them. The bytes are in the home,
-- data/blobs, by their hash.
CREATE TABLE blobs (
  id         TEXT COLLATE "C" PRIMARY KEY, -- random: who knows it may send the file
  hash       TEXT COLLATE "C" NOT NULL,    -- SHA-256, in hex
  plugin     TEXT COLLATE "C" NOT NULL,
  user_id    TEXT,
  size       BIGINT NOT NULL,
  type       TEXT NOT NULL,
  name       TEXT,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);

-- The sweeper of bytes asks which of them are still named; that of rows, which have had their time.
CREATE INDEX blobs_hash ON blobs (hash);
CREATE INDEX blobs_expired ON blobs (expires_at);

-- What a channel calls a file that it has: it is not sent again.
CREATE TABLE blob_files (
  sender     TEXT COLLATE "C" NOT NULL,
  hash       TEXT COLLATE "C" NOT NULL,
  kind       TEXT COLLATE "C" NOT NULL,
  file_id    TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (sender, hash, kind)
);

CREATE INDEX blob_files_old ON blob_files (created_at);
