DROP INDEX continuations_open;
