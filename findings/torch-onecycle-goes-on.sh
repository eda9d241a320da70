#!/usr/bin/env bash
# PyTorch 2.13.0: OneCycleLR with a linear anneal ends below zero.
#
# In the usual loop, optimizer.step() and then scheduler.step() total_steps times, the last call of the
# scheduler goes one step beyond the schedule, and raises nothing. There the line of
# anneal_strategy="linear" is continued: the learning rate is -0.0143 for max_lr=0.1 and 10 steps.
# Whoever saves that state, or trains on, goes uphill. The cosine goes up again: 0.00495 after 4e-07.
#
# Seen on CPython 3.11: linear 3.99e-07 -0.0142852571, cos 4e-07 0.0049519368
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "torch==2.13.0" "numpy<3"
"$folder/venv/bin/python" - <<'PYTHON'
import torch
from torch.optim import SGD
from torch.optim.lr_scheduler import OneCycleLR

after = {}
for strategy in ("linear", "cos"):
    optimizer = SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1)
    scheduler = OneCycleLR(optimizer, max_lr=0.1, total_steps=10, anneal_strategy=strategy)
    for _ in range(10):
        last = optimizer.param_groups[0]["lr"]
        optimizer.step()
        scheduler.step()
    after[strategy] = optimizer.param_groups[0]["lr"]
    print(strategy, last, after[strategy])
    assert abs(last - 4e-07) < 1e-10
assert after["linear"] < -0.014
assert after["cos"] > 0.0049
PYTHON
