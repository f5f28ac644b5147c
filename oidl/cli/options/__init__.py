"""What can be typed: a file for each group of options, and how their values are read.

The docstring under an option is its help text, in `--help` and in the manual.
"""
