"""`oidl` from Python: a root directory, to be read.

`root` answers questions, `image` is what comes back, `html` shows it in a notebook.
"""
