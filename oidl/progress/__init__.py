"""The progress of a run: the meter that the pipeline updates, and the printers that read it.

The meter never waits and knows no screen; printers read its frozen
`statistics()` and never touch the pipeline.
"""
