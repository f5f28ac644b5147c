-- `PRAGMA integrity_check` of SQLite 3.40 tells of NULLs in `label.confidence`, where there are none, as long as that
-- column comes before the last one of the key.

DROP VIEW label_of_file;
DROP INDEX label_by_class;
ALTER TABLE label RENAME TO label_as_it_was;

CREATE TABLE label (
    image_id    TEXT NOT NULL,
    label_name  TEXT NOT NULL,
    source      TEXT NOT NULL,
    file_number INTEGER NOT NULL DEFAULT 0,
    confidence  REAL NOT NULL,
    PRIMARY KEY (image_id, label_name, source, file_number)
) STRICT, WITHOUT ROWID;

INSERT INTO label SELECT image_id, label_name, source, file_number, confidence FROM label_as_it_was;
DROP TABLE label_as_it_was;
CREATE INDEX label_by_class ON label (label_name, image_id, confidence);

CREATE VIEW label_of_file AS
SELECT f.image_id, d.subset, f.rendition, f.path, f.width, f.height,
       l.label_name, c.display_name, l.source, l.confidence
FROM file AS f JOIN download AS d USING (image_id) JOIN label AS l USING (image_id) LEFT JOIN class AS c USING (label_name);
