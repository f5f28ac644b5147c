-- How fast each provider is asked, as of `updated_at`: requests in flight at most, requests a second
-- (NULL: any), and the rate at which it objects or a little less, from which the next run starts.
CREATE TABLE pace (
    provider     TEXT NOT NULL PRIMARY KEY,
    window       INTEGER NOT NULL,
    rate         REAL,
    learned_rate REAL,
    paused_until TEXT,
    updated_at   TEXT NOT NULL
) STRICT, WITHOUT ROWID;
