#!/usr/bin/env bash
# safetensors 0.8.0: save of NumPy arrays writes memory in its order, not the entries in theirs.
#
# safetensors.numpy.save takes the address of the first entry and the number of bytes. For a
# transposed array it writes the entries in the wrong order, and for every second entry of one it
# writes the first half of it. Nothing is raised: what is loaded has the right shape and other
# numbers. Only the docstring says "need to be contiguous". A copy by numpy.array(x, order="C") is
# written right.
#
# Seen on CPython 3.11: [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]] in place of
# [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]], and [0.0, 1.0, 2.0] in place of [0.0, 2.0, 4.0].
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "safetensors==0.8.0" "numpy==2.4.6"
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
from safetensors.numpy import load, save

row = np.arange(6.0)
for x, found in (
    (row.reshape(2, 3).T, [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]),
    (row[::2], [0.0, 1.0, 2.0]),
):
    loaded = load(save({"x": x}))["x"]
    print(loaded.tolist(), "in place of", x.tolist())
    assert loaded.shape == x.shape and loaded.tolist() == found != x.tolist()
    assert load(save({"x": np.array(x, order="C")}))["x"].tolist() == x.tolist()
PYTHON
