-- Which version of a plugin's data (manifest: data_version) a session of a user, and the data of a
-- job, are of. Those of a dialog say it in dialogs.state.
ALTER TABLE sessions ADD COLUMN data_version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE jobs ADD COLUMN data_version BIGINT NOT NULL DEFAULT 1;
