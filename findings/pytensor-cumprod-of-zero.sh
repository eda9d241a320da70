#!/usr/bin/env bash
# PyTensor 3.0.7: the gradient of cumprod is NaN where an input is 0, that of prod is right there.
#
# prod of [0, 2, 0] has the gradient 0, 0, 0, as its rule counts zeros. The rule of cumprod divides by
# the input: the sum of the running products 0, 0, 0 has the gradient 3, 0, 0, and comes out NaN at
# each zero. A mask multiplied in, or one probability of 0, is enough.
#
# Seen on CPython 3.11: prod [0.0, 0.0, 0.0], cumprod [nan, 0.0, nan]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "pytensor==3.0.7" "numpy==2.4.6"
PYTENSOR_FLAGS="cxx=,base_compiledir=$folder/compiled" "$folder/venv/bin/python" - <<'PYTHON'
import math
import warnings

import pytensor
import pytensor.tensor as pt

warnings.simplefilter("ignore")
x = pt.dvector("x")
seen = {}
for name, y in (("prod", pt.prod(x)), ("cumprod", pt.cumprod(x).sum())):
    slopes = pytensor.function([x], pytensor.grad(y, x), mode=pytensor.compile.Mode("py"))
    seen[name] = slopes([0.0, 2.0, 0.0]).tolist()
    print(name, seen[name])
assert seen["prod"] == [0.0, 0.0, 0.0]
assert [math.isnan(slope) for slope in seen["cumprod"]] == [True, False, True]
PYTHON
