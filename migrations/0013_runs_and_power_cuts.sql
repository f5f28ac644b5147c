-- Who a run is: `token` marks its temporary files, `pid` and `boot_id` tell whether it may still be alive.
-- Files recorded before `synced_at` are on the disk, whatever happens to the machine.

ALTER TABLE run ADD COLUMN token TEXT;
ALTER TABLE run ADD COLUMN pid INTEGER;
ALTER TABLE run ADD COLUMN boot_id TEXT;
ALTER TABLE run ADD COLUMN synced_at TEXT;
