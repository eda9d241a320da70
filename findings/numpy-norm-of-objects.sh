#!/usr/bin/env bash
# NumPy 2.4.6: linalg.norm of an array of objects works for orders 1, 2 and inf, not for 3.
#
# Of decimals, and of all objects with the arithmetic of numbers and a method sqrt, the default order
# and 1 and inf give an object of that type. Any other order raises AttributeError, although it needs
# only abs, powers and sums: it asks the sum, which is one of the objects, for its dtype.
#
# Seen on CPython 3.11: 5 7 4 'decimal.Decimal' object has no attribute 'dtype'
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "numpy==2.4.6"
"$folder/venv/bin/python" - <<'PYTHON'
from decimal import Decimal

import numpy as np

a = np.array([Decimal(3), Decimal(4)])
known = [np.linalg.norm(a), np.linalg.norm(a, 1), np.linalg.norm(a, np.inf)]
try:
    np.linalg.norm(a, 3)
except AttributeError as error:
    print(*known, error)
    assert "no attribute 'dtype'" in str(error)
else:
    raise SystemExit("norm(a, 3) works now")
assert known == [Decimal(5), Decimal(7), Decimal(4)]
PYTHON
