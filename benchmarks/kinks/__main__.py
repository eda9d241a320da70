"""What libraries return at kinks and singular points: ``python benchmarks/kinks``."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).parents[1])  # where the package is

if __name__ == "__main__":
    from kinks.asking import main

    sys.exit(main())
