#!/usr/bin/env bash
# PyTorch 2.13.0: the second derivative of torch.sinc is NaN at 0, and 0 next to it.
#
# It is -pi**2 / 3 = -3.29 there. The first derivative is handled at 0 itself and right; its formula,
# (cos(pi x) pi x - sin(pi x)) / (pi x**2), is differentiated as it stands. In float64 the result is
# NaN at 0 and 0.0 at 1e-9; at 1e-7 it has three right digits. torch.special.sinc is the same function.
#
# Seen on CPython 3.11: first 0.0, second nan, 0.0 at 1e-9
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "torch==2.13.0" "numpy<3"
"$folder/venv/bin/python" - <<'PYTHON'
import math

import torch


def derivatives(number):
    x = torch.tensor(number, dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(torch.sinc(x), x, create_graph=True)
    (second,) = torch.autograd.grad(first, x)
    return first.item(), second.item()


first, second = derivatives(0.0)
print("first", first, "second", second)
for number in (1e-9, 1e-7, 1e-3):
    print(number, derivatives(number))
assert first == 0.0
assert math.isnan(second)
assert derivatives(1e-9)[1] == 0.0
assert math.isclose(derivatives(1e-3)[1], -math.pi**2 / 3.0, rel_tol=1e-4)
PYTHON
