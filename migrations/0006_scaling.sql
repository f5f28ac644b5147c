-- How JPEGs are shrunk to make the images of a rendition: 'faithful' or 'fast'.
ALTER TABLE rendition ADD COLUMN scaling TEXT NOT NULL DEFAULT 'faithful';
