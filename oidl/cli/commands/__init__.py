"""The commands, one file each: options in, an exit code out.

They are imported when they are called, by their names in `oidl.cli.app`.
"""
