"""Where bytes go: which path an output file has, and how it gets there whole.

`layout` is pure; `atomic` writes. A file under its final name is complete.
"""
