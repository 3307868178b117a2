ALTER TABLE jobs DROP COLUMN data_version;
ALTER TABLE sessions DROP COLUMN data_version;
