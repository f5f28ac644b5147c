-- Shards: files that hold the images of many samples. In a shard that `oidl run` writes, the image is the only copy, and
-- `file.path` names its place; `oidl pack` copies images into shards, and `file` knows nothing of those.

-- What keeps the images of a rendition: 'files', 'webdataset' or 'tfrecord'.
ALTER TABLE rendition ADD COLUMN store TEXT NOT NULL DEFAULT 'files';

-- A set of shards of one rendition, in one directory, made in one way; `recipe` is JSON. `directory` is relative to the
-- root if it is inside it. `finished_at` is when `oidl pack` had made all of it.
CREATE TABLE shard_set (
    set_id      INTEGER PRIMARY KEY,
    writer      TEXT NOT NULL DEFAULT 'pack' CHECK (writer IN ('run', 'pack')),
    directory   TEXT NOT NULL UNIQUE,
    format      TEXT NOT NULL CHECK (format IN ('webdataset', 'tfrecord', 'parquet')),
    rendition   TEXT NOT NULL,
    recipe      TEXT NOT NULL,
    created_at  TEXT NOT NULL,
    finished_at TEXT
) STRICT;

-- One shard. `path` is its final name, as in `file.path`; until it is sealed, an open shard has '.part' after it. `split`
-- is a subset, or a part of `oidl pack --split`. A planned shard is not written yet, an open one is being written, and a
-- sealed one never changes: `bytes` and `sha256` are those of the whole file. A stale one is sealed, but has samples that
-- no longer count; the next run copies the others to a new shard and removes it.
CREATE TABLE shard (
    shard_id  INTEGER PRIMARY KEY,
    set_id    INTEGER NOT NULL REFERENCES shard_set,
    split     TEXT NOT NULL,
    number    INTEGER NOT NULL,
    path      TEXT NOT NULL UNIQUE,
    state     TEXT NOT NULL CHECK (state IN ('planned', 'open', 'sealed', 'stale')),
    samples   INTEGER NOT NULL DEFAULT 0,
    bytes     INTEGER NOT NULL DEFAULT 0,
    sha256    TEXT,
    sealed_at TEXT,
    UNIQUE (set_id, split, number)
) STRICT;
CREATE INDEX shard_unsealed ON shard (state) WHERE state <> 'sealed';

-- An image in a shard; an image is in one shard of a set at most. `place` orders the samples of a shard. `at` is where
-- its sample begins, `bytes` how long it is; both are NULL if it is not written yet, or has no place of its own (Parquet).
CREATE TABLE shard_member (
    set_id   INTEGER NOT NULL,
    image_id TEXT NOT NULL,
    shard_id INTEGER NOT NULL REFERENCES shard,
    place    INTEGER NOT NULL,
    at       INTEGER,
    bytes    INTEGER,
    PRIMARY KEY (set_id, image_id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX shard_member_by_place ON shard_member (shard_id, place);

-- An image without its row in `file` is in no shard of `oidl run`, whatever removed the row.
CREATE TRIGGER file_leaves_shard AFTER DELETE ON file BEGIN
    DELETE FROM shard_member
    WHERE image_id = OLD.image_id
      AND set_id IN (SELECT set_id FROM shard_set WHERE rendition = OLD.rendition AND writer = 'run');
END;
CREATE TRIGGER member_leaves_shard AFTER DELETE ON shard_member BEGIN
    UPDATE shard SET state = 'stale'
    WHERE shard_id = OLD.shard_id AND state = 'sealed'
      AND set_id IN (SELECT set_id FROM shard_set WHERE writer = 'run');
END;
