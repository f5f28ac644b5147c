"""Where bytes go: the path of an output file, and how the file gets there whole.

`layout` is pure; `atomic` writes. A file under its final name is complete.
"""
