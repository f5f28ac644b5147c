-- Nodes on a cluster, and a pace for each of their addresses.

-- As before, for each machine: `node` is the host of a node on a cluster, '' for the machine of `oidl run`.
CREATE TABLE pace_by_node (
    provider     TEXT NOT NULL,
    node         TEXT NOT NULL DEFAULT '',
    window       INTEGER NOT NULL,
    rate         REAL,
    learned_rate REAL,
    paused_until TEXT,
    updated_at   TEXT NOT NULL,
    PRIMARY KEY (provider, node)
) STRICT, WITHOUT ROWID;
INSERT INTO pace_by_node (provider, window, rate, learned_rate, paused_until, updated_at)
SELECT provider, window, rate, learned_rate, paused_until, updated_at FROM pace;
DROP TABLE pace;
ALTER TABLE pace_by_node RENAME TO pace;

-- A node of the last run on a cluster: one life of a Dask worker, as of `updated_at`. `lost` is how it ended, NULL while
-- it lives.
CREATE TABLE node (
    life         TEXT NOT NULL PRIMARY KEY,
    run_id       INTEGER NOT NULL,
    name         TEXT NOT NULL,
    host         TEXT NOT NULL,
    threads      INTEGER NOT NULL,
    started_at   TEXT NOT NULL,
    updated_at   TEXT NOT NULL,
    images       INTEGER NOT NULL,
    images_per_s REAL NOT NULL,
    in_progress  INTEGER NOT NULL,
    lost         TEXT
) STRICT, WITHOUT ROWID;
