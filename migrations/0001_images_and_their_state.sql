-- The state database, first version. Times are UTC ISO 8601 text with milliseconds
-- ("2026-11-23T18:30:00.000Z"), so that they compare as text. Sizes are bytes.

PRAGMA application_id = 0x6f69646c; -- "oidl"

-- What marks this database's temporary files, so that a later run sweeps only those.
CREATE TABLE identity (token TEXT NOT NULL) STRICT;
INSERT INTO identity VALUES (lower(hex(randomblob(4))));

-- One published image, in published order (rowid), each field as published.
CREATE TABLE image (
    image_id             TEXT NOT NULL,
    subset               TEXT NOT NULL,
    original_url         TEXT NOT NULL,
    original_landing_url TEXT NOT NULL,
    license              TEXT NOT NULL,
    author_profile_url   TEXT NOT NULL,
    author               TEXT NOT NULL,
    title                TEXT NOT NULL,
    original_size        INTEGER NOT NULL,
    original_md5         TEXT NOT NULL,
    thumbnail_300k_url   TEXT NOT NULL,
    rotation             TEXT
) STRICT;
CREATE UNIQUE INDEX image_by_id ON image (image_id);

-- Where that image stands. `subset` is repeated here so that counting needs no join.
CREATE TABLE download (
    image_id        TEXT NOT NULL PRIMARY KEY,
    subset          TEXT NOT NULL,
    status          TEXT NOT NULL DEFAULT 'pending'
                    CHECK (status IN ('pending', 'retry', 'done', 'failed')),
    attempts        INTEGER NOT NULL DEFAULT 0,
    next_attempt_at TEXT,
    reason          TEXT,
    detail          TEXT,
    http_status     INTEGER,
    source          TEXT,
    url             TEXT,
    bytes           INTEGER,
    md5             TEXT,
    width           INTEGER,
    height          INTEGER,
    finished_at     TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX download_due ON download (next_attempt_at) WHERE status = 'retry';

-- A kind of output that was asked for. `files` and `bytes` are kept by the triggers below.
CREATE TABLE rendition (
    name      TEXT NOT NULL PRIMARY KEY,
    directory TEXT NOT NULL UNIQUE,
    mode      TEXT,
    box_size  INTEGER,
    format    TEXT NOT NULL,
    quality   INTEGER,
    files     INTEGER NOT NULL DEFAULT 0,
    bytes     INTEGER NOT NULL DEFAULT 0
) STRICT;

-- One output file of one image; `path` is relative to the root where it lies inside it.
CREATE TABLE file (
    image_id   TEXT NOT NULL,
    rendition  TEXT NOT NULL,
    path       TEXT NOT NULL,
    bytes      INTEGER NOT NULL,
    width      INTEGER NOT NULL,
    height     INTEGER NOT NULL,
    written_at TEXT NOT NULL,
    PRIMARY KEY (image_id, rendition)
) STRICT, WITHOUT ROWID;

-- One failed try.
CREATE TABLE attempt (
    id          INTEGER PRIMARY KEY,
    image_id    TEXT NOT NULL,
    run_id      INTEGER NOT NULL,
    at          TEXT NOT NULL,
    source      TEXT,
    url         TEXT,
    reason      TEXT NOT NULL,
    http_status INTEGER,
    detail      TEXT
) STRICT;
CREATE INDEX attempt_by_image ON attempt (image_id);

-- One metadata file that was fetched, verified and unpacked; it is not fetched again.
CREATE TABLE archive (
    name        TEXT NOT NULL PRIMARY KEY,
    url         TEXT NOT NULL,
    bytes       INTEGER NOT NULL,
    md5         TEXT NOT NULL,
    finished_at TEXT NOT NULL
) STRICT;

-- Which subsets of which list are in `image`; a database holds one list. `quoting` is how
-- that list writes its CSV: 'author-title' (V1-V3: those two always, the rest never) or 'minimal'.
CREATE TABLE image_list (
    subset          TEXT NOT NULL PRIMARY KEY,
    dataset_version TEXT NOT NULL,
    directory       TEXT NOT NULL,
    source          TEXT NOT NULL,
    quoting         TEXT NOT NULL CHECK (quoting IN ('author-title', 'minimal')),
    images          INTEGER NOT NULL,
    skipped         INTEGER NOT NULL,
    loaded_at       TEXT NOT NULL
) STRICT;

-- One `oidl run`. `settings` is JSON; the counts are of this run, as of `updated_at`.
CREATE TABLE run (
    id           INTEGER PRIMARY KEY,
    started_at   TEXT NOT NULL,
    updated_at   TEXT NOT NULL,
    finished_at  TEXT,
    outcome      TEXT,
    done         INTEGER NOT NULL DEFAULT 0,
    failed       INTEGER NOT NULL DEFAULT 0,
    bytes        INTEGER NOT NULL DEFAULT 0,
    images_per_s REAL NOT NULL DEFAULT 0,
    bytes_per_s  REAL NOT NULL DEFAULT 0,
    settings     TEXT NOT NULL
) STRICT;

-- How many images stand where: kept by the triggers below, so that `oidl status`
-- answers at once over nine million rows. `reason` is '' where there is none.
CREATE TABLE tally (
    subset TEXT NOT NULL,
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    images INTEGER NOT NULL,
    bytes  INTEGER NOT NULL,
    PRIMARY KEY (subset, status, reason)
) STRICT, WITHOUT ROWID;

-- There is no trigger for new rows: the bulk load counts what it adds, in its own transaction.
CREATE TRIGGER download_moves AFTER UPDATE OF status, reason, bytes, source ON download BEGIN
    UPDATE tally
    SET images = images - 1,
        bytes = bytes - CASE WHEN OLD.source = 'local' THEN 0 ELSE coalesce(OLD.bytes, 0) END
    WHERE subset = OLD.subset AND status = OLD.status AND reason = coalesce(OLD.reason, '');
    INSERT INTO tally (subset, status, reason, images, bytes)
    VALUES (NEW.subset, NEW.status, coalesce(NEW.reason, ''), 1,
            CASE WHEN NEW.source = 'local' THEN 0 ELSE coalesce(NEW.bytes, 0) END)
    ON CONFLICT DO UPDATE SET images = images + 1, bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER file_appears AFTER INSERT ON file BEGIN
    UPDATE rendition SET files = files + 1, bytes = bytes + NEW.bytes WHERE name = NEW.rendition;
END;
CREATE TRIGGER file_changes AFTER UPDATE OF bytes ON file BEGIN
    UPDATE rendition SET bytes = bytes - OLD.bytes + NEW.bytes WHERE name = NEW.rendition;
END;
CREATE TRIGGER file_goes AFTER DELETE ON file BEGIN
    UPDATE rendition SET files = files - 1, bytes = bytes - OLD.bytes WHERE name = OLD.rendition;
END;

CREATE VIEW success AS
SELECT i.image_id, i.subset, d.source, d.url, d.bytes, d.md5, d.width, d.height, d.attempts, d.finished_at,
       i.original_landing_url, i.license, i.author_profile_url, i.author, i.title
FROM download AS d JOIN image AS i USING (image_id)
WHERE d.status = 'done';

CREATE VIEW failure AS
SELECT i.image_id, i.subset, d.status, d.reason, d.detail, d.http_status, d.url, d.attempts, d.next_attempt_at,
       d.finished_at, i.original_url, i.original_landing_url, i.license, i.author, i.title
FROM download AS d JOIN image AS i USING (image_id)
WHERE d.status IN ('failed', 'retry');

CREATE VIEW progress AS
SELECT subset, status, nullif(reason, '') AS reason, images, bytes FROM tally WHERE images > 0;
