-- The EXIF orientation that a picture kept as it came says itself; `download` knows that of the last body only, which
-- may have come from elsewhere. Taken from there where that body and the file are of one length.

ALTER TABLE file ADD COLUMN exif_orientation INTEGER;  -- EXIF's, 1-8; NULL in what was made or converted

UPDATE file SET exif_orientation = (SELECT d.orientation FROM download AS d WHERE d.image_id = file.image_id)
WHERE conversion IS NULL
  AND rendition IN (SELECT name FROM rendition WHERE mode IS NULL)
  AND bytes = (SELECT d.bytes FROM download AS d WHERE d.image_id = file.image_id);
