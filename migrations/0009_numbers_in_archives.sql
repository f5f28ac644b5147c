-- Two lists in one archive numbered their rows alike, and of two boxes of an image with one number only the first
-- was kept. Numbers go on from list to list now, so what came from archives is forgotten here, as its numbers are
-- others; the archives stand where they stood, and loading them brings it back.

CREATE TEMP TABLE of_archives AS
SELECT file_number FROM annotation_file
WHERE name LIKE '%.tar' OR name LIKE '%.tgz' OR name LIKE '%.tar.gz';

DELETE FROM box WHERE file_number IN (SELECT file_number FROM of_archives);
DELETE FROM label WHERE file_number IN (SELECT file_number FROM of_archives);
DELETE FROM relationship WHERE file_number IN (SELECT file_number FROM of_archives);
DELETE FROM segmentation WHERE file_number IN (SELECT file_number FROM of_archives);
DELETE FROM point WHERE file_number IN (SELECT file_number FROM of_archives);
DELETE FROM class_hierarchy WHERE file_number IN (SELECT file_number FROM of_archives);
DELETE FROM annotation_file WHERE file_number IN (SELECT file_number FROM of_archives);

DROP TABLE of_archives;
