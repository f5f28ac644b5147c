"""What Open Images publishes, and how it comes here.

`catalogue` reads the versions and their files (data: `catalogue.toml`), `published`
says which file is which and where it will stand, `archive` fetches one of these
and vouches for its bytes, `unpack` takes it apart, `rows` turns the published
rows into `Image`s and back.

One rule holds throughout: the end of a stream is only ever seen by its reader
once size and checksums are right. Whoever reads to the end before committing
can commit nothing that is not what was published.
"""
