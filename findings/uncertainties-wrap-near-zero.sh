#!/usr/bin/env bash
# uncertainties 3.2.3: a function made by wrap() loses the whole uncertainty of an argument near 0.
#
# Without derivatives, wrap() uses finite differences with a step of about 1.5e-8 times the argument.
# For (1.0 +/- 1.0)e-9 the step is 1.5e-17, and x + step + 1.0 == x + 1.0: the derivative of
# x + 1.0 comes out 0, and so does the deviation of the result, without a warning. At exactly 0 the
# step is absolute, and the result is right again. The operators of the package are right everywhere.
#
# Seen on CPython 3.11: 0.0 0.0 1e-09
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "uncertainties==3.2.3"
"$folder/venv/bin/python" - <<'PYTHON'
import math

from uncertainties import ufloat, wrap

near, zero = ufloat(1e-9, 1e-9), ufloat(0.0, 1e-9)
print(wrap(lambda x: x + 1.0)(near).s, wrap(math.exp)(near).s, (near + 1.0).s)
assert wrap(lambda x: x + 1.0)(near).s == 0.0
assert wrap(math.exp)(near).s == 0.0
assert math.isclose(wrap(math.exp)(zero).s, 1e-9, rel_tol=1e-6)
assert (near + 1.0).s == 1e-9
PYTHON
