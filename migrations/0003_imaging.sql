-- What a picture was, and how a rendition came out of it.

ALTER TABLE download ADD COLUMN format TEXT;          -- jpeg, png, gif, webp, tiff: by its first bytes
ALTER TABLE download ADD COLUMN bands INTEGER;        -- alpha included
ALTER TABLE download ADD COLUMN orientation INTEGER;  -- EXIF's, 1-8
ALTER TABLE download ADD COLUMN is_cmyk INTEGER;

-- The rest of a rendition's recipe.
ALTER TABLE rendition ADD COLUMN crop TEXT NOT NULL DEFAULT 'centre';
ALTER TABLE rendition ADD COLUMN orientation TEXT NOT NULL DEFAULT 'exif';
ALTER TABLE rendition ADD COLUMN background TEXT NOT NULL DEFAULT 'ffffff';
ALTER TABLE rendition ADD COLUMN force_rgb INTEGER NOT NULL DEFAULT 0;

-- A file is the stored picture turned by `orientation` (EXIF's 1-8), scaled to `scaled_width` x `scaled_height`,
-- and cut at `crop_left`, `crop_top` (where negative, bordered). A saved original that was converted says from what.
ALTER TABLE file ADD COLUMN orientation INTEGER NOT NULL DEFAULT 1;
ALTER TABLE file ADD COLUMN scaled_width INTEGER;
ALTER TABLE file ADD COLUMN scaled_height INTEGER;
ALTER TABLE file ADD COLUMN crop_left INTEGER NOT NULL DEFAULT 0;
ALTER TABLE file ADD COLUMN crop_top INTEGER NOT NULL DEFAULT 0;
ALTER TABLE file ADD COLUMN conversion TEXT;
