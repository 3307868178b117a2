-- What has served of each plugin in a folder, so that an operator may go back to it.
CREATE TABLE plugin_bundles (
  plugin    TEXT COLLATE "C" NOT NULL,
  hash      TEXT COLLATE "C" NOT NULL,
  version   TEXT NOT NULL,
  served_at BIGINT NOT NULL,              -- when it last came out of a folder into service
  PRIMARY KEY (plugin, hash)
);

-- What an operator has gone back to: it serves in every worker, whatever the folders say.
CREATE TABLE plugin_pins (
  plugin    TEXT COLLATE "C" PRIMARY KEY,
  hash      TEXT NOT NULL,
  pinned_at BIGINT NOT NULL,
  pinned_by TEXT NOT NULL,                -- source of the audit row
  reason    TEXT
);
