#!/usr/bin/env bash
# CasADi 3.8.2: the gradient of mmax of four equal numbers is 1/8, 1/8, 1/4, 1/2 for SX symbols, and
# 1/4 each for MX symbols.
#
# SX writes the maximum of a vector as nested maxima of two, each of which halves what arrives at a
# tie. So the share of an entry depends on its place, and the same model has another gradient after
# SX is replaced by MX. Of two entries, and of three with two that tie, both give the same.
#
# Seen on CPython 3.11: SX [0.125, 0.125, 0.25, 0.5], MX [0.25, 0.25, 0.25, 0.25]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "casadi==3.8.2" "numpy==2.4.6"
"$folder/venv/bin/python" - <<'PYTHON'
import casadi as ca

seen = {}
for kind in (ca.SX, ca.MX):
    x = kind.sym("x", 4)
    slopes = ca.Function("slopes", [x], [ca.gradient(ca.mmax(x), x)])
    seen[kind.__name__] = slopes([1.0, 1.0, 1.0, 1.0]).full().ravel().tolist()
    print(kind.__name__, seen[kind.__name__])
assert seen == {"SX": [0.125, 0.125, 0.25, 0.5], "MX": [0.25, 0.25, 0.25, 0.25]}
PYTHON
