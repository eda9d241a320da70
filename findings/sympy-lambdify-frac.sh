#!/usr/bin/env bash
# SymPy 1.14.0: lambdify writes 2*frac(x) as 2*x % 1, so that the function returns another number.
#
# The Python printer writes frac(x) as "x % 1" without parentheses. In a product or a power Python
# takes the remainder last: 2*frac(0.75) is 1.5, and the function returns 0.5. It is so for
# modules="math" and for a module of one's own. With NumPy it is right, and so is 2*Mod(x, 3), whose
# parentheses the printer sees to.
#
# Seen on CPython 3.11: 1.50000000000000 0.5 1.5 | return 2*x % 1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "sympy==1.14.0" "mpmath==1.3.0" "numpy==2.4.6"
"$folder/venv/bin/python" - <<'PYTHON'
import inspect

import sympy as sp

x = sp.Symbol("x", real=True)
expression = 2 * sp.frac(x)
written, of_numpy = (sp.lambdify(x, expression, module) for module in ("math", "numpy"))
right = expression.subs(x, 0.75)
code = inspect.getsource(written).splitlines()[1].strip()
print(right, written(0.75), of_numpy(0.75), "|", code)
assert float(right) == float(of_numpy(0.75)) == 1.5
assert written(0.75) == 0.5
assert sp.lambdify(x, 2 * sp.Mod(x, 3), "math")(3.75) == 1.5
PYTHON
