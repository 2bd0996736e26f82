"""Lets `python -m build_config` be the command line."""

from __future__ import annotations

import os
import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
