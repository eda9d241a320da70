"""Writes the C forms of the numeric functions: ``python tools/translate``."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).parents[1])  # where the package is

if __name__ == "__main__":
    from translate.files import main

    sys.exit(main(sys.argv[1:]))
