-- The last hundred images that were had, in order, so that a database at rest can show them without a walk
-- over all rows.

CREATE TABLE recent_success (
    id       INTEGER PRIMARY KEY,
    image_id TEXT NOT NULL
) STRICT;

INSERT INTO recent_success (image_id)
SELECT image_id FROM (
    SELECT image_id, finished_at FROM download WHERE status = 'done' ORDER BY finished_at DESC LIMIT 100
) ORDER BY finished_at;

CREATE TRIGGER download_succeeds AFTER UPDATE OF status ON download WHEN NEW.status = 'done' BEGIN
    INSERT INTO recent_success (image_id) VALUES (NEW.image_id);
    DELETE FROM recent_success WHERE id <= (SELECT max(id) FROM recent_success) - 100;
END;
