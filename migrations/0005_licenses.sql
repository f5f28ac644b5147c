-- Checks of licences: what the licence of a photo is now, according to Flickr.

-- The last check of an image. `via` is what answered. `license_class` and `license_id` are those of the licence now:
-- NULL if it is not known, or is none of Flickr's. `reason` says why the verdict is not a licence. `at_release` is the
-- licence when the dataset was released, from the photo's history.
CREATE TABLE license_check (
    image_id      TEXT NOT NULL PRIMARY KEY,
    subset        TEXT NOT NULL,
    checked_at    TEXT NOT NULL,
    via           TEXT NOT NULL CHECK (via IN ('oembed', 'api', 'history', 'page')),
    verdict       TEXT NOT NULL CHECK (verdict IN ('same', 'changed', 'gone', 'private', 'unshareable', 'unknown')),
    reason        TEXT,
    http_status   INTEGER,
    license_url   TEXT,
    license_id    INTEGER,
    license_class TEXT CHECK (license_class IN ('free', 'nc', 'nd', 'reserved')),
    author_name   TEXT,
    author_url    TEXT,
    at_release    TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX license_check_by_verdict ON license_check (verdict, image_id);
CREATE INDEX license_check_by_class ON license_check (license_class, image_id) WHERE license_class IS NOT NULL;

-- A change of a photo's licence, from its history. Each check by history replaces those of its image.
CREATE TABLE license_change (
    image_id   TEXT NOT NULL,
    changed_at TEXT NOT NULL,
    old_url    TEXT NOT NULL,
    new_url    TEXT NOT NULL,
    PRIMARY KEY (image_id, changed_at)
) STRICT, WITHOUT ROWID;

-- How many checked images have which verdict and class, maintained by the triggers below. `license_class` is '' if
-- there is none.
CREATE TABLE license_count (
    subset        TEXT NOT NULL,
    verdict       TEXT NOT NULL,
    license_class TEXT NOT NULL,
    images        INTEGER NOT NULL,
    PRIMARY KEY (subset, verdict, license_class)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER license_check_appears AFTER INSERT ON license_check BEGIN
    INSERT INTO license_count VALUES (NEW.subset, NEW.verdict, coalesce(NEW.license_class, ''), 1)
    ON CONFLICT DO UPDATE SET images = images + 1;
END;
CREATE TRIGGER license_check_changes AFTER UPDATE ON license_check BEGIN
    UPDATE license_count SET images = images - 1
    WHERE subset = OLD.subset AND verdict = OLD.verdict AND license_class = coalesce(OLD.license_class, '');
    INSERT INTO license_count VALUES (NEW.subset, NEW.verdict, coalesce(NEW.license_class, ''), 1)
    ON CONFLICT DO UPDATE SET images = images + 1;
END;
CREATE TRIGGER license_check_disappears AFTER DELETE ON license_check BEGIN
    UPDATE license_count SET images = images - 1
    WHERE subset = OLD.subset AND verdict = OLD.verdict AND license_class = coalesce(OLD.license_class, '');
END;

-- Every checked image with what was published about it.
CREATE VIEW license_verdict AS
SELECT c.image_id, c.subset, c.verdict, c.reason, c.license_class, i.license AS published_license, c.license_url,
       c.license_id, c.at_release, i.author, c.author_name, c.author_url, i.original_landing_url, c.via, c.checked_at
FROM license_check AS c JOIN image AS i USING (image_id);

-- The checked images by subset, verdict and class, and their share of all checked images of the subset.
CREATE VIEW license_share AS
SELECT subset, verdict, nullif(license_class, '') AS license_class, images,
       1.0 * images / sum(images) OVER (PARTITION BY subset) AS share
FROM license_count WHERE images > 0;

-- As before, with the last check: NULL if there is none.
DROP VIEW success;
CREATE VIEW success AS
SELECT i.image_id, i.subset, d.source, d.url, d.bytes, d.md5, d.width, d.height, d.attempts, d.finished_at,
       i.original_landing_url, i.license, i.author_profile_url, i.author, i.title,
       c.verdict AS license_verdict, c.license_url AS license_now, c.checked_at AS license_checked
FROM download AS d JOIN image AS i USING (image_id) LEFT JOIN license_check AS c USING (image_id)
WHERE d.status = 'done';
