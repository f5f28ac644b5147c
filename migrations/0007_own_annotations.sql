-- What an annotation file of one's own had, so that images can be chosen by it without the published ones: tables, and
-- for annotations the subsets of the images, as in 'class, box/train, box/test'. NULL for published files.
ALTER TABLE annotation_file ADD COLUMN contents TEXT;
