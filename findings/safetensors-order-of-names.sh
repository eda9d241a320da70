#!/usr/bin/env bash
# safetensors 0.8.0: load gives the tensors of the same bytes in another order each time.
#
# safetensors.torch.load, safetensors.numpy.load and safetensors.deserialize go through a hash table
# that is seeded anew for each call, so the order of the dict that they return changes from call to
# call, within one process, too. Whoever pairs the values of two state dicts, or copies them to
# parameters in order, gets another model each time. safetensors.safe_open and load_file, which goes
# through it, keep one order. Sort by name, or go by name.
#
# Seen on CPython 3.11: 50 loads of six tensors in 45 to 50 different orders; by load_file in one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "safetensors==0.8.0" "numpy==2.4.6"
"$folder/venv/bin/python" - "$folder/model.safetensors" <<'PYTHON'
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load, load_file, save

data = save({name: np.arange(3.0) for name in "abcdef"})
orders = {"".join(load(data)) for _ in range(50)}
print(f"50 loads: {len(orders)} orders, such as {sorted(orders)[:3]}")
Path(sys.argv[1]).write_bytes(data)
from_files = {"".join(load_file(sys.argv[1])) for _ in range(50)}
print(f"50 loads by load_file: {from_files}")
assert len(orders) > 10
assert len(from_files) == 1
PYTHON
