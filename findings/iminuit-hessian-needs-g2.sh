#!/usr/bin/env bash
# iminuit 2.33.0: Minuit(..., grad=..., hessian=...) raises if the Hessian has a negative entry on its
# diagonal at the start, unless g2 is passed, too, which "has no effect" by the warning it causes.
#
# Of Rosenbrock's function, migrad() works from (2, 1), where the second derivatives are 4402 and 200.
# From (0, 1), where they are -398 and 200, it raises TypeError: 'NoneType' object is not callable,
# without a word of g2, the function that is missing. With g2 it works, and the constructor emits
# IMinuitWarning: hessian overrides g2, passing g2 has no effect.
#
# Seen on CPython 3.11:
#   True
#   'NoneType' object is not callable
#   hessian overrides g2, passing g2 has no effect
#   True
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "iminuit==2.33.0" "numpy==2.4.6"
"$folder/venv/bin/python" - <<'PYTHON'
import warnings

from iminuit import Minuit


def valley(a, b):
    return (1.0 - a) ** 2 + 100.0 * (b - a * a) ** 2


def grad(a, b):
    return [-2.0 * (1.0 - a) - 400.0 * a * (b - a * a), 200.0 * (b - a * a)]


def hessian(a, b):
    return [[2.0 - 400.0 * (b - 3.0 * a * a), -400.0 * a], [-400.0 * a, 200.0]]


def g2(a, b):
    return [row[i] for i, row in enumerate(hessian(a, b))]


m = Minuit(valley, a=2.0, b=1.0, grad=grad, hessian=hessian).migrad()
print(m.valid)
assert m.valid
try:
    Minuit(valley, a=0.0, b=1.0, grad=grad, hessian=hessian).migrad()
except TypeError as error:
    print(error)
    assert "'NoneType' object is not callable" in str(error)
else:
    raise SystemExit("hessian works without g2 now")
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    m = Minuit(valley, a=0.0, b=1.0, grad=grad, hessian=hessian, g2=g2).migrad()
print(*[w.message for w in caught])
print(m.valid)
assert any("passing g2 has no effect" in str(w.message) for w in caught)
assert m.valid
PYTHON
