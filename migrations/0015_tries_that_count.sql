-- Whether a try counts towards a verdict. When everything fails alike, the tries of that time
-- say nothing about the images: they are kept, and counted no more.

ALTER TABLE attempt ADD COLUMN counts INTEGER NOT NULL DEFAULT 1 CHECK (counts IN (0, 1));
