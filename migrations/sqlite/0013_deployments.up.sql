-- Versions of plugins that were put in service by `plugin deploy`, for all dialogs or for a share of
-- them.
CREATE TABLE deployments (
  plugin         TEXT NOT NULL,
  number         INTEGER NOT NULL,        -- counted up for each plugin
  state          TEXT NOT NULL,           -- running, promoted, rolled_back, cancelled
  stable         TEXT,                    -- hash of the bundle that served before; NULL: none
  stable_version TEXT,
  canary         TEXT NOT NULL,           -- hash of the new bundle
  canary_version TEXT NOT NULL,
  origin         TEXT NOT NULL,           -- of the new bundle: shipped, home, bundle
  share          INTEGER NOT NULL,        -- of the dialogs that get the new one, basis points
  window_ms      INTEGER NOT NULL,
  max_window_ms  INTEGER NOT NULL,
  thresholds     TEXT NOT NULL,           -- JSON
  counts         TEXT,                    -- JSON: of both versions, when it was decided
  reason         TEXT,
  created_by     TEXT NOT NULL,
  started_at     INTEGER NOT NULL,
  undecided_at   INTEGER,                 -- its longest window has passed
  decided_at     INTEGER,
  updated_at     INTEGER NOT NULL,
  PRIMARY KEY (plugin, number)
) WITHOUT ROWID;

CREATE UNIQUE INDEX deployments_running ON deployments (plugin) WHERE state = 'running';

-- Calls while a deployment runs: by slices of its window and by worker, which each write their own.
CREATE TABLE deployment_counts (
  plugin     TEXT NOT NULL,
  number     INTEGER NOT NULL,
  slice      INTEGER NOT NULL,            -- milliseconds, when it begins
  side       TEXT NOT NULL,               -- canary, stable
  worker     TEXT NOT NULL,
  counts     TEXT NOT NULL,               -- JSON
  PRIMARY KEY (plugin, number, slice, side, worker)
) WITHOUT ROWID;

-- What was deployed, and what served before, for the instances that do not have it.
CREATE TABLE bundles (
  plugin     TEXT NOT NULL,
  hash       TEXT NOT NULL,
  version    TEXT NOT NULL,
  sources    TEXT NOT NULL,               -- JSON: text by file name
  created_at INTEGER NOT NULL,
  PRIMARY KEY (plugin, hash)
) WITHOUT ROWID;

-- Where it came from: shipped, home, bundle; NULL: from the folder that it has. The ring of a plugin
-- goes by it, also when somebody goes back to it.
ALTER TABLE plugin_bundles ADD COLUMN origin TEXT;
