-- Whoever ends what waits for too long asks for the oldest.
CREATE INDEX continuations_open ON continuations (expires_at) WHERE done_at IS NULL;
