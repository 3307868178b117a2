DROP TABLE continuations;
DROP TABLE streams;
CREATE TABLE streams (
  stream     TEXT COLLATE "C" NOT NULL,
  id         TEXT COLLATE "C" NOT NULL,
  payload    TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (stream, id)
);
DROP TABLE keys;
DROP TABLE rates;
DROP TABLE instances;
DROP TABLE leases;
DROP TABLE revisions;
ALTER TABLE plugins DROP COLUMN manifest_checked_at;
ALTER TABLE plugins DROP COLUMN secret_version;
ALTER TABLE plugins DROP COLUMN token_id;
ALTER TABLE plugins DROP COLUMN reason;
ALTER TABLE plugins DROP COLUMN registered;
ALTER TABLE inbox DROP COLUMN owner;
DROP INDEX dialogs_leased;
ALTER TABLE dialogs DROP COLUMN lease_until;
ALTER TABLE dialogs DROP COLUMN lease_owner;
