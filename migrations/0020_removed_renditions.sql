-- Renditions that were removed. An image that was done before has not to have one of these.
CREATE TABLE removed_rendition (
    name       TEXT NOT NULL PRIMARY KEY,
    directory  TEXT NOT NULL,
    removed_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Files whose rows are gone and which are not removed yet. A removal that was cut off goes on with these.
CREATE TABLE removed_file (
    image_id  TEXT NOT NULL,
    rendition TEXT NOT NULL,
    path      TEXT NOT NULL,
    PRIMARY KEY (image_id, rendition, path)
) STRICT, WITHOUT ROWID;
