"""The SQLite file: what was published, what became of it, what is left to do.

The state database is the truth of the program. A file stands under its final
name before its row says so, every outcome is a row, and what is left to do is
a query; so a kill at any instant costs repeated work and never a lie.

One process writes (`lock`), through one connection, in short transactions;
readers open the file read-only and work during a run. `database` opens and
migrates it, `load` fills in an image list, `queue` asks what is to do, `ledger`
writes what became of it, `counts` and `rows` read it for people and for CSV.

This is the only room that knows sqlite3. Nothing here is async: `pipeline`
decides which thread a call runs in. The SQL itself is in `migrations/` and, a
query beside the function that needs it, in the modules here.
"""
