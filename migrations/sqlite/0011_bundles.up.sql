-- What has served of each plugin in a folder, so that an operator may go back to it.
CREATE TABLE plugin_bundles (
  plugin    TEXT NOT NULL,
  hash      TEXT NOT NULL,
  version   TEXT NOT NULL,
  served_at INTEGER NOT NULL,             -- when it last came out of a folder into service
  PRIMARY KEY (plugin, hash)
) WITHOUT ROWID;

-- What an operator has gone back to: it serves in every worker, whatever the folders say.
CREATE TABLE plugin_pins (
  plugin    TEXT PRIMARY KEY,
  hash      TEXT NOT NULL,
  pinned_at INTEGER NOT NULL,
  pinned_by TEXT NOT NULL,                -- source of the audit row
  reason    TEXT
) WITHOUT ROWID;
