-- How the images stand that the plan is about, where those are not the whole list: chosen images, or so many as a limit
-- asks for. Runs write it together with what became of each image. As `tally`, but an image that
-- lacks a rendition of the plan is `pending`. Empty if the plan is about the whole list, or if it is not known.
CREATE TABLE plan_tally (
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    images INTEGER NOT NULL,
    PRIMARY KEY (status, reason)
) STRICT, WITHOUT ROWID;

-- The classes of a plan that has a limit for each: how many images there are to choose from, how many are done.
CREATE TABLE plan_class (
    label_name TEXT NOT NULL PRIMARY KEY,
    images     INTEGER NOT NULL,
    done       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
