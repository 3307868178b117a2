-- Messages that are one to whoever has sent them, like the photos of an album: the name that they
-- share, until they are joined.
ALTER TABLE inbox ADD COLUMN part_of TEXT;
CREATE INDEX inbox_parts ON inbox (dialog_id, part_of) WHERE state = 'open' AND part_of IS NOT NULL;
