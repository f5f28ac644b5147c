"""What Open Images publishes, and how it is fetched and read.

`catalogue` reads the versions and their files (data: `catalogue.toml`), `published`
describes the files and their paths, `archive` fetches one and verifies its bytes,
`unpack` unpacks it, `rows` converts published rows to `Image`s and back.

One rule holds throughout: a reader sees the end of a stream only if size and
checksums are right. A reader that reads to the end before it commits can commit
nothing but the published data.
"""
