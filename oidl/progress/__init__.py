"""How it goes: the meter that the pipeline tells, and the printers that read it.

The meter never waits and knows no screen; printers read its frozen
`statistics()` and never touch the pipeline.
"""
