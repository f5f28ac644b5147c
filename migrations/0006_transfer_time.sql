-- How long it took to fetch what an image was made from.

ALTER TABLE download ADD COLUMN transfer_s REAL; -- seconds from the first request to the last byte
