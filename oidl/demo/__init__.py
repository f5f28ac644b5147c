"""Open Images on the loopback: photos made on the spot, and a server that treats them as badly as life does.

`site` says what is answered under which path and keeps what was asked, `server`
speaks HTTP and breaks it on demand, `listing` publishes a few hundred photos in
the dataset's own formats with the fate of each known beforehand. `oidl demo`,
the tests and the bench all use this one implementation; the program itself
never does.
"""
