-- The CRC-32 of a sample in a shard of `oidl run`; NULL in shards of `oidl pack`, and if the sample is older than this
-- column. So of a shard with another SHA-256 than recorded, only the images that are damaged are done again.
ALTER TABLE shard_member ADD COLUMN crc32 INTEGER;
