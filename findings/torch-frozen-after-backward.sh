#!/usr/bin/env bash
# torch 2.13.0: freezing a parameter between backward() and step() does not freeze it. The gradient
# stays, and the optimizer looks at p.grad alone, never at p.requires_grad: step() moves the
# parameter, and with momentum or Adam goes on moving it at every later step, until zero_grad().
#
# A parameter at 1.0 with the gradient 3.0, lr 0.1 and momentum 0.5, frozen before three steps:
#
# Seen on CPython 3.11:
#   [0.7, 0.25, -0.275]
#   frozen after zero_grad(): -0.275
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "torch==2.13.0"
"$folder/venv/bin/python" - <<'PYTHON'
import torch

p = torch.nn.Parameter(torch.tensor(1.0, dtype=torch.float64))
optimizer = torch.optim.SGD([p], lr=0.1, momentum=0.5)
(3.0 * p).backward()
p.requires_grad_(False)
seen = []
for _ in range(3):
    optimizer.step()
    seen.append(round(p.item(), 3))
print(seen)
assert seen == [0.7, 0.25, -0.275]
optimizer.zero_grad()
optimizer.step()
print("frozen after zero_grad():", round(p.item(), 3))
assert round(p.item(), 3) == -0.275
PYTHON
