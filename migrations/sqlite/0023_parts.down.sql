DROP INDEX inbox_parts;
ALTER TABLE inbox DROP COLUMN part_of;
