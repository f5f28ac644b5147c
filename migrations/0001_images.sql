-- The images of a list, their download status, the files made from them, and the runs.
--
-- Times are UTC ISO 8601 text with milliseconds ("2026-11-23T18:30:00.000Z"), so they sort as text. Sizes are in bytes,
-- lengths in pixels.

PRAGMA application_id = 0x6f69646c; -- "oidl"

---- Image lists

-- One row per published image, in published order (rowid), with each field as published. `rotation` is NULL for lists
-- that do not have it.
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

-- The list that each subset in `image` comes from; a database holds one list. `source` has no user, password or query;
-- `source_sha256` is the hash of the whole address, so that a change is noticed. `bytes`, `modified_at` and `sha256`
-- describe a list on disk when it was read, and are NULL for a fetched one (see `archive`). `quoting` and `line_end`
-- are the CSV dialect of the list: 'author-title' (V1-V3: these two always, the rest never) or 'minimal'.
CREATE TABLE image_list (
    subset          TEXT NOT NULL PRIMARY KEY,
    dataset_version TEXT NOT NULL,
    directory       TEXT NOT NULL,
    source          TEXT NOT NULL,
    source_sha256   TEXT,
    bytes           INTEGER,
    modified_at     TEXT,
    sha256          TEXT,
    quoting         TEXT NOT NULL CHECK (quoting IN ('author-title', 'minimal')),
    line_end        TEXT NOT NULL DEFAULT 'lf' CHECK (line_end IN ('lf', 'crlf')),
    images          INTEGER NOT NULL,
    skipped         INTEGER NOT NULL,
    loaded_at       TEXT NOT NULL
) STRICT;

-- Rows of a list that are not images: the first 1,000; `image_list.skipped` counts all. `text` is truncated. If the row
-- does not give its subset, `subset` is the first subset that was read.
CREATE TABLE skipped_row (
    subset    TEXT NOT NULL,
    list      TEXT NOT NULL,
    line      INTEGER,
    complaint TEXT NOT NULL,
    text      TEXT NOT NULL
) STRICT;

-- One metadata file that was fetched, verified and unpacked; it is not fetched again. `checked_by` is how it was
-- verified: 'md5', 'sha256' (published), 'x-goog-hash', 'etag' (from the server), 'bytes' (its length), or NULL (not).
CREATE TABLE archive (
    name        TEXT NOT NULL PRIMARY KEY,
    url         TEXT NOT NULL,
    bytes       INTEGER NOT NULL,
    md5         TEXT NOT NULL,
    checked_by  TEXT,
    finished_at TEXT NOT NULL
) STRICT;

---- Downloads

-- The status of each image. `subset` is repeated here so that counting needs no join. `format`, `bands` (alpha
-- included), `orientation` (EXIF's, 1-8) and `is_cmyk` describe the last verified body. `format` is determined by its
-- first bytes: jpeg, png, gif, webp, tiff.
CREATE TABLE download (
    image_id        TEXT NOT NULL PRIMARY KEY,
    subset          TEXT NOT NULL,
    status          TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'retry', 'done', 'failed')),
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
    format          TEXT,
    bands           INTEGER,
    orientation     INTEGER,
    is_cmyk         INTEGER,
    transfer_s      REAL,
    finished_at     TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX download_due ON download (next_attempt_at) WHERE status = 'retry';

-- One failed attempt. `source_index` is 0 for the first source of a try, 1 for the next one. `counts` is 0 if the
-- attempt does not count towards giving up, because everything was failing at that time.
CREATE TABLE attempt (
    id           INTEGER PRIMARY KEY,
    image_id     TEXT NOT NULL,
    run_id       INTEGER NOT NULL,
    at           TEXT NOT NULL,
    source       TEXT,
    source_index INTEGER NOT NULL DEFAULT 0,
    url          TEXT,
    reason       TEXT NOT NULL,
    http_status  INTEGER,
    detail       TEXT,
    counts       INTEGER NOT NULL DEFAULT 1 CHECK (counts IN (0, 1))
) STRICT;
CREATE INDEX attempt_by_image ON attempt (image_id);

-- The last hundred images that were done, so that showing them needs no scan of all rows.
CREATE TABLE recent_success (
    id       INTEGER PRIMARY KEY,
    image_id TEXT NOT NULL
) STRICT;
CREATE TRIGGER download_succeeds AFTER UPDATE OF status ON download WHEN NEW.status = 'done' BEGIN
    INSERT INTO recent_success (image_id) VALUES (NEW.image_id);
    DELETE FROM recent_success WHERE id <= (SELECT max(id) FROM recent_success) - 100;
END;

-- How many images have each status, maintained by the trigger below, so that `oidl status` answers at once for nine
-- million rows. `reason` is '' if there is none. Bulk loads add their own counts.
CREATE TABLE status_count (
    subset TEXT NOT NULL,
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    images INTEGER NOT NULL,
    bytes  INTEGER NOT NULL,
    PRIMARY KEY (subset, status, reason)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER download_changes AFTER UPDATE OF status, reason, bytes, source ON download BEGIN
    UPDATE status_count
    SET images = images - 1,
        bytes = bytes - CASE WHEN OLD.source = 'local' THEN 0 ELSE coalesce(OLD.bytes, 0) END
    WHERE subset = OLD.subset AND status = OLD.status AND reason = coalesce(OLD.reason, '');
    INSERT INTO status_count (subset, status, reason, images, bytes)
    VALUES (NEW.subset, NEW.status, coalesce(NEW.reason, ''), 1,
            CASE WHEN NEW.source = 'local' THEN 0 ELSE coalesce(NEW.bytes, 0) END)
    ON CONFLICT DO UPDATE SET images = images + 1, bytes = bytes + excluded.bytes;
END;

---- Files

-- A requested kind of output, and how it is made. `files` and `bytes` are maintained by the triggers below.
CREATE TABLE rendition (
    name        TEXT NOT NULL PRIMARY KEY,
    directory   TEXT NOT NULL UNIQUE,
    mode        TEXT,
    box_size    INTEGER,
    format      TEXT NOT NULL,
    quality     INTEGER,
    crop        TEXT NOT NULL DEFAULT 'centre',
    orientation TEXT NOT NULL DEFAULT 'exif',
    background  TEXT NOT NULL DEFAULT 'ffffff',
    force_rgb   INTEGER NOT NULL DEFAULT 0,
    files       INTEGER NOT NULL DEFAULT 0,
    bytes       INTEGER NOT NULL DEFAULT 0
) STRICT;

-- One output file of one image; `path` is relative to the root if the file is inside it. The file is the stored image
-- turned by `orientation` (EXIF's, 1-8), scaled to `scaled_width` x `scaled_height`, and cropped at `crop_left`,
-- `crop_top` (negative: bordered). `conversion` is what a saved original was converted from, NULL if it is unchanged;
-- `exif_orientation` is the EXIF orientation of an unchanged file, NULL for others.
CREATE TABLE file (
    image_id         TEXT NOT NULL,
    rendition        TEXT NOT NULL,
    path             TEXT NOT NULL,
    bytes            INTEGER NOT NULL,
    width            INTEGER NOT NULL,
    height           INTEGER NOT NULL,
    orientation      INTEGER NOT NULL DEFAULT 1,
    scaled_width     INTEGER,
    scaled_height    INTEGER,
    crop_left        INTEGER NOT NULL DEFAULT 0,
    crop_top         INTEGER NOT NULL DEFAULT 0,
    conversion       TEXT,
    exif_orientation INTEGER,
    written_at       TEXT NOT NULL,
    PRIMARY KEY (image_id, rendition)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER file_appears AFTER INSERT ON file BEGIN
    UPDATE rendition SET files = files + 1, bytes = bytes + NEW.bytes WHERE name = NEW.rendition;
END;
CREATE TRIGGER file_changes AFTER UPDATE OF bytes ON file BEGIN
    UPDATE rendition SET bytes = bytes - OLD.bytes + NEW.bytes WHERE name = NEW.rendition;
END;
CREATE TRIGGER file_disappears AFTER DELETE ON file BEGIN
    UPDATE rendition SET files = files - 1, bytes = bytes - OLD.bytes WHERE name = OLD.rendition;
END;

-- File names that are not ImageIDs, and the image that each belongs to. A name is reserved before a file is written
-- under it, so two images never share a path.
CREATE TABLE file_name (
    name     TEXT NOT NULL PRIMARY KEY,
    image_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Removed renditions. Images that were done before the removal do not need them.
CREATE TABLE removed_rendition (
    name       TEXT NOT NULL PRIMARY KEY,
    directory  TEXT NOT NULL,
    removed_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Files whose rows are removed but which are not deleted yet. An interrupted removal resumes with these.
CREATE TABLE removed_file (
    image_id  TEXT NOT NULL,
    rendition TEXT NOT NULL,
    path      TEXT NOT NULL,
    PRIMARY KEY (image_id, rendition, path)
) STRICT, WITHOUT ROWID;

---- Runs

-- One `oidl run`. `settings` is JSON; the counts are those of this run, as of `updated_at`. `throttled` counts requests
-- that servers answered with 429, or 503 with Retry-After; not all of them have a row in `attempt`. `token` marks the
-- temporary files of the run; `pid` and `boot_id` show whether it may still be alive. Files recorded before `synced_at`
-- are on the disk, even after a power failure.
CREATE TABLE run (
    id           INTEGER PRIMARY KEY,
    started_at   TEXT NOT NULL,
    updated_at   TEXT NOT NULL,
    finished_at  TEXT,
    outcome      TEXT,
    done         INTEGER NOT NULL DEFAULT 0,
    failed       INTEGER NOT NULL DEFAULT 0,
    throttled    INTEGER NOT NULL DEFAULT 0,
    bytes        INTEGER NOT NULL DEFAULT 0,
    images_per_s REAL NOT NULL DEFAULT 0,
    bytes_per_s  REAL NOT NULL DEFAULT 0,
    settings     TEXT NOT NULL,
    token        TEXT,
    pid          INTEGER,
    boot_id      TEXT,
    synced_at    TEXT
) STRICT;

-- The pace of each provider as of `updated_at`: the maximum number of requests in flight, requests per second (NULL:
-- no limit), and the learned sustainable rate, from which the next run starts.
CREATE TABLE pace (
    provider     TEXT NOT NULL PRIMARY KEY,
    window       INTEGER NOT NULL,
    rate         REAL,
    learned_rate REAL,
    paused_until TEXT,
    updated_at   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

---- The plan

-- What the root is for: the options of the last run that choose the images and the outputs. Later runs reuse them. A
-- row is one option: its name without dashes, and its value as JSON.
CREATE TABLE plan (
    option TEXT NOT NULL PRIMARY KEY,
    value  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The status of the images of the plan, if it does not cover the whole list. Like `status_count`, but an image that
-- lacks a rendition of the plan is 'pending'. Empty if the plan covers the whole list or is unknown.
CREATE TABLE plan_status_count (
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    images INTEGER NOT NULL,
    PRIMARY KEY (status, reason)
) STRICT, WITHOUT ROWID;

-- The classes of a plan that has a limit per class: how many images are available, and how many are done.
CREATE TABLE plan_class (
    label_name TEXT NOT NULL PRIMARY KEY,
    images     INTEGER NOT NULL,
    done       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

---- Views

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
SELECT subset, status, nullif(reason, '') AS reason, images, bytes FROM status_count WHERE images > 0;
