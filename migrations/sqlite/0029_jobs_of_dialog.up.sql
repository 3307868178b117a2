-- The next job of each dialog, and how many a plugin has there.
CREATE INDEX jobs_of_dialog ON jobs (dialog_id, run_at, id) WHERE state = 'open';
