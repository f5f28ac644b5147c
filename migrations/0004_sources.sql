-- Where bytes come from, and what vouches for them.

-- `md5`, `sha256` (published), `x-goog-hash`, `etag` (said by the server), `bytes` (the length alone), or NULL for nothing.
ALTER TABLE archive ADD COLUMN checked_by TEXT;

-- 0 for the source that was asked first, 1 for the next of the same try.
ALTER TABLE attempt ADD COLUMN place INTEGER NOT NULL DEFAULT 0;

-- How the list ends its lines: 'lf' or 'crlf'.
ALTER TABLE image_list ADD COLUMN line_end TEXT NOT NULL DEFAULT 'lf';
