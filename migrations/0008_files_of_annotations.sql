-- Every row knows which file it came from. Two files may have a row of the same number for one image, and a file that
-- was edited takes its rows of before along when it goes. Which file a loaded row is of cannot be told afterwards, so
-- what was loaded is forgotten here; the files themselves stand where they stood, and loading them brings it back.
-- Number 0 is for rows that came from no file.

DROP TABLE annotation_file;
CREATE TABLE annotation_file (
    file_number INTEGER PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    kind        TEXT NOT NULL,
    contents    TEXT,          -- of one's own, so that images can be chosen by it: tables, and for annotations the
                               -- subsets of the images, as in 'class, box/train, box/test'; NULL for published ones
    modified_at TEXT,          -- when a file that the user named was changed last; NULL for what oidl fetched
    images      TEXT NOT NULL, -- 'all', or a choice in words: the same is not loaded again, another adds its rows
    rows        INTEGER NOT NULL,
    skipped     INTEGER NOT NULL,
    loaded_at   TEXT NOT NULL
) STRICT;

DROP TABLE class_hierarchy;
CREATE TABLE class_hierarchy (
    parent      TEXT NOT NULL,
    child       TEXT NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('subcategory', 'part')),
    file_number INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (parent, kind, child, file_number)
) STRICT, WITHOUT ROWID;

DROP TABLE label;
CREATE TABLE label (
    image_id    TEXT NOT NULL,
    label_name  TEXT NOT NULL,
    source      TEXT NOT NULL,
    confidence  REAL NOT NULL,
    file_number INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (image_id, label_name, source, file_number)
) STRICT, WITHOUT ROWID;
CREATE INDEX label_by_class ON label (label_name, image_id, confidence);

DROP TABLE box;
CREATE TABLE box (
    image_id     TEXT NOT NULL,
    file_number  INTEGER NOT NULL DEFAULT 0,
    number       INTEGER NOT NULL,
    source       TEXT NOT NULL,
    label_name   TEXT NOT NULL,
    confidence   REAL NOT NULL,
    x_min        REAL NOT NULL,
    x_max        REAL NOT NULL,
    y_min        REAL NOT NULL,
    y_max        REAL NOT NULL,
    is_occluded  INTEGER,
    is_truncated INTEGER,
    is_group_of  INTEGER,
    is_depiction INTEGER,
    is_inside    INTEGER,
    x_click1_x   REAL,
    x_click2_x   REAL,
    x_click3_x   REAL,
    x_click4_x   REAL,
    x_click1_y   REAL,
    x_click2_y   REAL,
    x_click3_y   REAL,
    x_click4_y   REAL,
    PRIMARY KEY (image_id, file_number, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX box_by_class ON box (
    label_name, image_id, is_occluded, is_truncated, is_group_of, is_depiction, is_inside
);

DROP TABLE relationship;
CREATE TABLE relationship (
    image_id           TEXT NOT NULL,
    file_number        INTEGER NOT NULL DEFAULT 0,
    number             INTEGER NOT NULL,
    label_name1        TEXT NOT NULL,
    label_name2        TEXT NOT NULL,
    x_min1             REAL NOT NULL,
    x_max1             REAL NOT NULL,
    y_min1             REAL NOT NULL,
    y_max1             REAL NOT NULL,
    x_min2             REAL NOT NULL,
    x_max2             REAL NOT NULL,
    y_min2             REAL NOT NULL,
    y_max2             REAL NOT NULL,
    relationship_label TEXT NOT NULL,
    PRIMARY KEY (image_id, file_number, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX relationship_by_class1 ON relationship (label_name1, image_id);
CREATE INDEX relationship_by_class2 ON relationship (label_name2, image_id);

DROP TABLE segmentation;
CREATE TABLE segmentation (
    image_id      TEXT NOT NULL,
    file_number   INTEGER NOT NULL DEFAULT 0,
    number        INTEGER NOT NULL,
    mask_path     TEXT NOT NULL,
    label_name    TEXT NOT NULL,
    box_id        TEXT NOT NULL,
    box_x_min     REAL NOT NULL,
    box_x_max     REAL NOT NULL,
    box_y_min     REAL NOT NULL,
    box_y_max     REAL NOT NULL,
    predicted_iou REAL,
    clicks        TEXT,
    PRIMARY KEY (image_id, file_number, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX segmentation_by_class ON segmentation (label_name, image_id);

DROP TABLE point;
CREATE TABLE point (
    image_id         TEXT NOT NULL,
    file_number      INTEGER NOT NULL DEFAULT 0,
    number           INTEGER NOT NULL,
    x                REAL NOT NULL,
    y                REAL NOT NULL,
    label            TEXT NOT NULL,
    estimated_yes_no TEXT,
    source           TEXT,
    yes_votes        INTEGER,
    no_votes         INTEGER,
    unsure_votes     INTEGER,
    text_label       TEXT,
    PRIMARY KEY (image_id, file_number, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX point_by_class ON point (label, image_id, estimated_yes_no);

-- The boxes that are to be seen in each file, as shares of that file's width and height: the published box, turned
-- as the picture was (EXIF's orientation), scaled, moved by what was cut off, and cut at the edges. Files of which it
-- is not known how they were scaled are left out.
DROP VIEW box_of_file;
CREATE VIEW box_of_file AS
WITH turned AS (
    SELECT f.image_id, f.rendition, f.path, f.width, f.height,
           coalesce(f.scaled_width, f.width) AS scaled_width, coalesce(f.scaled_height, f.height) AS scaled_height,
           f.crop_left, f.crop_top, b.file_number, b.number, b.label_name, b.source, b.confidence,
           CASE WHEN f.orientation IN (1, 4) THEN b.x_min WHEN f.orientation IN (2, 3) THEN 1 - b.x_max
                WHEN f.orientation IN (5, 8) THEN b.y_min ELSE 1 - b.y_max END AS x_min,
           CASE WHEN f.orientation IN (1, 4) THEN b.x_max WHEN f.orientation IN (2, 3) THEN 1 - b.x_min
                WHEN f.orientation IN (5, 8) THEN b.y_max ELSE 1 - b.y_min END AS x_max,
           CASE WHEN f.orientation IN (1, 2) THEN b.y_min WHEN f.orientation IN (3, 4) THEN 1 - b.y_max
                WHEN f.orientation IN (5, 6) THEN b.x_min ELSE 1 - b.x_max END AS y_min,
           CASE WHEN f.orientation IN (1, 2) THEN b.y_max WHEN f.orientation IN (3, 4) THEN 1 - b.y_min
                WHEN f.orientation IN (5, 6) THEN b.x_max ELSE 1 - b.x_min END AS y_max,
           b.is_occluded, b.is_truncated, b.is_group_of, b.is_depiction, b.is_inside
    FROM file AS f JOIN box AS b USING (image_id)
    WHERE f.scaled_width NOTNULL OR f.rendition = 'original'
), moved AS (
    SELECT t.*,
           max(0.0, (t.x_min * t.scaled_width - t.crop_left) / t.width) AS left,
           min(1.0, (t.x_max * t.scaled_width - t.crop_left) / t.width) AS right,
           max(0.0, (t.y_min * t.scaled_height - t.crop_top) / t.height) AS top,
           min(1.0, (t.y_max * t.scaled_height - t.crop_top) / t.height) AS bottom
    FROM turned AS t
)
SELECT m.image_id, d.subset, m.rendition, m.path, m.width, m.height,
       m.file_number, m.number, m.label_name, c.display_name, m.source, m.confidence,
       m.left AS x_min, m.right AS x_max, m.top AS y_min, m.bottom AS y_max,
       m.is_occluded, m.is_truncated, m.is_group_of, m.is_depiction, m.is_inside
FROM moved AS m JOIN download AS d USING (image_id) LEFT JOIN class AS c USING (label_name)
WHERE m.left < m.right AND m.top < m.bottom;
