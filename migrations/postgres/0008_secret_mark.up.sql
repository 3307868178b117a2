-- By which master key the signing secret of a plugin was made: a mark of the key, not the key.
ALTER TABLE plugins ADD COLUMN secret_mark TEXT;
