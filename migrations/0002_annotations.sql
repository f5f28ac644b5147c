-- What people and machines saw in the images: the published columns in snake case. A column that a version does not
-- publish is NULL. Coordinates are fractions of the image's width and height as stored, from 0 to 1, from the top left.
--
-- Rows are clustered by image, so each of fourteen million boxes costs one entry in its table and one in the index of
-- its class. `file_id` and `row_number` identify the row of the file: loading a file again produces the same keys.

-- The classes, with the display names of the class lists. The flags show which lists contain a class.
CREATE TABLE class (
    label_name       TEXT NOT NULL PRIMARY KEY,
    display_name     TEXT,
    is_trainable     INTEGER NOT NULL DEFAULT 0,
    is_boxable       INTEGER NOT NULL DEFAULT 0,
    is_box_trainable INTEGER NOT NULL DEFAULT 0,
    is_segmentable   INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX class_by_display_name ON class (display_name);

-- The published hierarchy: `child` is a kind of `parent`, or a part of it.
CREATE TABLE class_hierarchy (
    parent  TEXT NOT NULL,
    child   TEXT NOT NULL,
    kind    TEXT NOT NULL CHECK (kind IN ('subcategory', 'part')),
    file_id INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (parent, kind, child, file_id)
) STRICT, WITHOUT ROWID;

-- What is loaded from each annotation file. `contents` is NULL for published files. For the user's own files it lists
-- the tables that the file has rows for, and for annotations the subsets of their images ('class, box/train,
-- box/test'), so that images can be selected by it. `modified_at` is the last change of such a file, NULL for files that
-- oidl fetched. `images` is 'all', or the selection as text: the same selection is not loaded again, another one adds
-- its rows.
CREATE TABLE annotation_file (
    file_id     INTEGER PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    kind        TEXT NOT NULL,
    contents    TEXT,
    modified_at TEXT,
    images      TEXT NOT NULL,
    rows        INTEGER NOT NULL,
    skipped     INTEGER NOT NULL,
    loaded_at   TEXT NOT NULL
) STRICT;

-- Labels of whole images. `confidence` is 1 (present) or 0 (absent) if a person verified the label.
CREATE TABLE label (
    image_id   TEXT NOT NULL,
    label_name TEXT NOT NULL,
    source     TEXT NOT NULL,
    file_id    INTEGER NOT NULL DEFAULT 0,
    confidence REAL NOT NULL,
    PRIMARY KEY (image_id, label_name, source, file_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX label_by_class ON label (label_name, image_id, confidence);

CREATE TABLE box (
    image_id     TEXT NOT NULL,
    file_id      INTEGER NOT NULL DEFAULT 0,
    row_number   INTEGER NOT NULL,
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
    PRIMARY KEY (image_id, file_id, row_number)
) STRICT, WITHOUT ROWID;
CREATE INDEX box_by_class ON box (
    label_name, image_id, is_occluded, is_truncated, is_group_of, is_depiction, is_inside
);

CREATE TABLE relationship (
    image_id           TEXT NOT NULL,
    file_id            INTEGER NOT NULL DEFAULT 0,
    row_number         INTEGER NOT NULL,
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
    PRIMARY KEY (image_id, file_id, row_number)
) STRICT, WITHOUT ROWID;
CREATE INDEX relationship_by_class1 ON relationship (label_name1, image_id);
CREATE INDEX relationship_by_class2 ON relationship (label_name2, image_id);

CREATE TABLE segmentation (
    image_id      TEXT NOT NULL,
    file_id       INTEGER NOT NULL DEFAULT 0,
    row_number    INTEGER NOT NULL,
    mask_path     TEXT NOT NULL,
    label_name    TEXT NOT NULL,
    box_id        TEXT NOT NULL,
    box_x_min     REAL NOT NULL,
    box_x_max     REAL NOT NULL,
    box_y_min     REAL NOT NULL,
    box_y_max     REAL NOT NULL,
    predicted_iou REAL,
    clicks        TEXT,
    PRIMARY KEY (image_id, file_id, row_number)
) STRICT, WITHOUT ROWID;
CREATE INDEX segmentation_by_class ON segmentation (label_name, image_id);

CREATE TABLE point (
    image_id         TEXT NOT NULL,
    file_id          INTEGER NOT NULL DEFAULT 0,
    row_number       INTEGER NOT NULL,
    x                REAL NOT NULL,
    y                REAL NOT NULL,
    label            TEXT NOT NULL,
    estimated_yes_no TEXT,
    source           TEXT,
    yes_votes        INTEGER,
    no_votes         INTEGER,
    unsure_votes     INTEGER,
    text_label       TEXT,
    PRIMARY KEY (image_id, file_id, row_number)
) STRICT, WITHOUT ROWID;
CREATE INDEX point_by_class ON point (label, image_id, estimated_yes_no);

-- The visible boxes of each file, in fractions of that file's width and height: the published box, turned like the
-- image (EXIF's orientation), scaled, moved by the crop, and clipped at the edges. Files whose scale is unknown are
-- left out.
CREATE VIEW file_box AS
WITH turned AS (
    SELECT f.image_id, f.rendition, f.path, f.width, f.height,
           coalesce(f.scaled_width, f.width) AS scaled_width, coalesce(f.scaled_height, f.height) AS scaled_height,
           f.crop_left, f.crop_top, b.file_id, b.row_number, b.label_name, b.source, b.confidence,
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
       m.file_id, m.row_number, m.label_name, c.display_name, m.source, m.confidence,
       m.left AS x_min, m.right AS x_max, m.top AS y_min, m.bottom AS y_max,
       m.is_occluded, m.is_truncated, m.is_group_of, m.is_depiction, m.is_inside
FROM moved AS m JOIN download AS d USING (image_id) LEFT JOIN class AS c USING (label_name)
WHERE m.left < m.right AND m.top < m.bottom;

-- The labels of each file.
CREATE VIEW file_label AS
SELECT f.image_id, d.subset, f.rendition, f.path, f.width, f.height,
       l.label_name, c.display_name, l.source, l.confidence
FROM file AS f JOIN download AS d USING (image_id) JOIN label AS l USING (image_id) LEFT JOIN class AS c USING (label_name);
