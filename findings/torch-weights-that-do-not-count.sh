#!/usr/bin/env bash
# PyTorch 2.13.0: what a weighted mean is divided by depends on the loss, and on the kind of target.
#
# cross_entropy with class weights divides by the sum of the weights of the targets if these are
# indices, and by the number of rows if they are probabilities. So the same targets, written as one-hot
# rows, give another loss: 2.60 in place of 1.04 for the weights 1 and 4. The weight= of mse_loss and
# l1_loss divides by the sum of the weights, that of huber_loss by the number of entries.
#
# Seen on CPython 3.11: 1.0419138669967651 2.6047847270965576, 7.0 2.5 2.25
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "torch==2.13.0" "numpy<3"
"$folder/venv/bin/python" - <<'PYTHON'
import torch
import torch.nn.functional as F

logits = torch.tensor([[1.0, 2.0], [0.5, 0.0]])
classes, weight = torch.tensor([0, 1]), torch.tensor([1.0, 4.0])
by_index = F.cross_entropy(logits, classes, weight=weight).item()
by_row = F.cross_entropy(logits, F.one_hot(classes, 2).float(), weight=weight).item()
print(by_index, by_row)
assert abs(by_row / by_index - 5.0 / 2.0) < 1e-6

x, target, weight = torch.tensor([1.0, 3.0]), torch.zeros(2), torch.tensor([1.0, 3.0])
terms = F.huber_loss(x, target, delta=0.5, weight=weight, reduction="none")
means = [f(x, target, weight=weight).item() for f in (F.mse_loss, F.l1_loss)]
means.append(F.huber_loss(x, target, delta=0.5, weight=weight).item())
print(*means)
assert means == [28.0 / 4.0, 10.0 / 4.0, terms.sum().item() / 2.0]
PYTHON
