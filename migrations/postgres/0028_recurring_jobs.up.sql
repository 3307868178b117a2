-- Jobs that come again (action schedule with `every`), and jobs that can be taken back by the id that their plugin has
-- given them.
ALTER TABLE jobs ADD COLUMN name TEXT;        -- by the plugin; NULL: it cannot be taken back
ALTER TABLE jobs ADD COLUMN every_ms BIGINT; -- NULL: once
ALTER TABLE jobs ADD COLUMN due_at BIGINT;   -- of one that comes again: when this time was due, before any retry

-- One of each id is open at a time: what is scheduled again takes the place of the one before.
CREATE UNIQUE INDEX jobs_named ON jobs (dialog_id, plugin, name) WHERE state = 'open' AND name IS NOT NULL;
