"""The SQLite file: what was published, what was downloaded, and what is left to do.

The state database is the truth of the program. A file has its final name before
its row says so, every outcome is a row, and the remaining work is a query; so a
kill at any instant costs repeated work, never a lie.

One process writes (`lock`), through one connection, in short transactions;
readers open the file read-only and work during a run. `database` opens and
migrates it, `load` fills in an image list, `queue` selects the next jobs, `ledger`
writes their outcomes, `counts` and `outcome_rows` read it for people and for CSV.

This is the only room that knows sqlite3. Nothing here is async: `pipeline`
decides which thread a call runs in. The schema is in `migrations/`; a query is
next to the function that needs it, in the modules here.
"""
