-- An image list is known by its content, and what was refused of it is kept. `bytes`, `modified_at` and `sha256` are
-- those of a list on disk as it was read, NULL of one that was fetched (`archive` has these). `source` is without user,
-- password and query; `source_sha256` is of the whole address, to tell that it is another.
ALTER TABLE image_list ADD COLUMN bytes INTEGER;
ALTER TABLE image_list ADD COLUMN modified_at TEXT;
ALTER TABLE image_list ADD COLUMN sha256 TEXT;
ALTER TABLE image_list ADD COLUMN source_sha256 TEXT;

-- Rows of the list that are no images here: the first 1,000; `image_list.skipped` counts all of them. `text` is cut.
CREATE TABLE skipped_row (
    subset    TEXT NOT NULL, -- of image_list; the first one that was read where the row does not say
    list      TEXT NOT NULL,
    line      INTEGER,
    complaint TEXT NOT NULL,
    text      TEXT NOT NULL
) STRICT;

-- Each subset had the number of rows that all subsets of its load left out. That is known no more.
UPDATE image_list SET skipped = 0;
