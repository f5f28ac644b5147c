-- How many requests of a run servers throttled (429, or 503 with Retry-After). Some of these have no row
-- in `attempt`: an image whose host is paused goes back to its queue, and is asked for again after the pause.

ALTER TABLE run ADD COLUMN throttled INTEGER NOT NULL DEFAULT 0;
