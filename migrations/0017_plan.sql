-- What the root is for: the options of the last run that say what is downloaded and what is made of it.
-- A later run goes on with them. A row is one option by its name without dashes, its value as JSON.

CREATE TABLE plan (
    option TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
