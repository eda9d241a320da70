#!/usr/bin/env bash
# PyTorch 2.13.0: the gradient of binary_cross_entropy after a saturated sigmoid is ten times too small.
#
# For a logit of -30 and the target 1, the loss -log(sigmoid(x)) is 30.000000000000092 and its
# derivative sigmoid(x) - 1 is -0.9999999999999064. In float64, binary_cross_entropy gives
# -0.0936, and binary_cross_entropy_with_logits the right number. The loss itself is right in both:
# only the backward formula, (p - t) / max(p * (1 - p), 1e-12), bounds its divisor, and p is 9.4e-14.
#
# Seen on CPython 3.11: 30.000000000000092 -0.09357623006228763 -0.9999999999999064
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "torch==2.13.0" "numpy<3"
"$folder/venv/bin/python" - <<'PYTHON'
import math
import torch

gradients = []
for loss_of in (
    lambda x, t: torch.nn.functional.binary_cross_entropy(torch.sigmoid(x), t),
    torch.nn.functional.binary_cross_entropy_with_logits,
):
    x = torch.tensor(-30.0, dtype=torch.float64, requires_grad=True)
    loss = loss_of(x, torch.tensor(1.0, dtype=torch.float64))
    loss.backward()
    gradients.append(x.grad.item())
print(loss.item(), *gradients)
assert math.isclose(gradients[1], -1.0, rel_tol=1e-12)
assert math.isclose(gradients[0], -0.09357623006228763, rel_tol=1e-6)
PYTHON
