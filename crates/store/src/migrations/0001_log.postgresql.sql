-- The usage log's place when several nodes share the books; a lone node keeps its log in files.

CREATE TABLE log_shards (
    shard BIGINT PRIMARY KEY,
    epoch BIGINT NOT NULL,
    next_sequence BIGINT NOT NULL
);

CREATE TABLE log_groups (
    shard BIGINT NOT NULL REFERENCES log_shards (shard),
    first_sequence BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    entries BIGINT NOT NULL,
    frame BYTEA NOT NULL,
    PRIMARY KEY (shard, first_sequence)
);
-- Frames hold packed hashes: compressing them costs time and saves little.
ALTER TABLE log_groups ALTER COLUMN frame SET STORAGE EXTERNAL;
