DROP INDEX outbox_broadcasts;
DROP TABLE broadcast_results;
DROP TABLE broadcast_recipients;
DROP TABLE broadcasts;
