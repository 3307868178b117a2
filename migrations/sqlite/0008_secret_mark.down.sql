ALTER TABLE plugins DROP COLUMN secret_mark;
