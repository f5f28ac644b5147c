-- Shards in an object store. `remote_url` is where a shard is since `uploaded_at`. If `is_local` is 0, that is the only
-- copy; the local file is removed.
ALTER TABLE shard ADD COLUMN remote_url TEXT;
ALTER TABLE shard ADD COLUMN uploaded_at TEXT;
ALTER TABLE shard ADD COLUMN is_local INTEGER NOT NULL DEFAULT 1;
