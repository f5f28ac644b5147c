-- Names of files that are not ImageIDs, and the image that each belongs to. A name is claimed before anything is
-- written under it, so two images never share a path. Files of before are named here as they are; of those whose path
-- several images have, only one image's bytes are there, so all of these images are to be done again.
CREATE TABLE file_name (
    name     TEXT NOT NULL PRIMARY KEY,
    image_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TEMP TABLE named AS
SELECT image_id, rendition, lower(path) AS path,
       substr(path, length(rtrim(path, replace(path, '/', ''))) + 1) AS base
FROM file WHERE instr(path, '/' || image_id || '.') = 0;

CREATE TEMP TABLE shared AS SELECT path FROM named GROUP BY path HAVING count(*) > 1;

UPDATE download
SET status = 'pending', next_attempt_at = NULL, reason = NULL, detail = NULL, http_status = NULL, finished_at = NULL
WHERE status = 'done' AND image_id IN (SELECT image_id FROM named WHERE path IN (SELECT path FROM shared));

DELETE FROM file WHERE (image_id, rendition) IN (
    SELECT image_id, rendition FROM named WHERE path IN (SELECT path FROM shared)
);

INSERT INTO file_name (name, image_id)
SELECT substr(base, 1, instr(base || '.', '.') - 1) AS name, min(image_id) FROM named
WHERE path NOT IN (SELECT path FROM shared) GROUP BY 1;

DROP TABLE named;
DROP TABLE shared;
