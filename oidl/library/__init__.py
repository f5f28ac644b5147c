"""`oidl` from Python: a root directory, read-only.

`root` answers questions, `image` has the values it returns, `html` shows them in a notebook.
"""
