-- Starts of a job that nobody has seen end: written before it is fired, 0 again when its turn has committed.
ALTER TABLE jobs ADD COLUMN starts INTEGER NOT NULL DEFAULT 0;
