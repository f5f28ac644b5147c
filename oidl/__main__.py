"""`python -m oidl` is `oidl`."""

import sys

from oidl.cli import main

if __name__ == "__main__":
    sys.exit(main())
