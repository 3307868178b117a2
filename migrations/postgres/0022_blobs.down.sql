DROP TABLE blob_files;
DROP TABLE blobs;
