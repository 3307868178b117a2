ALTER TABLE dialogs ADD COLUMN lease_until BIGINT;
