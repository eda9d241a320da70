#!/usr/bin/env bash
# pandas 3.1.1: `series @ x` and `frame @ x` never ask x.__rmatmul__. A class that defines it, as
# Python's data model has it for operands of other types, gets an IndexError about a tuple from
# inside pandas. A list asks it, and `series + x` asks x.__radd__ for each entry.
#
# Seen on CPython 3.11:
#   list @ x: asked
#   series @ x: IndexError: tuple index out of range
#   frame @ x: IndexError: tuple index out of range
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "pandas==3.1.1" "numpy==2.4.6"
"$folder/venv/bin/python" - <<'PYTHON'
import pandas as pd


class Operator:
    def __rmatmul__(self, other):
        return "asked"


x = Operator()
print("list @ x:", [1.0, 2.0] @ x)
assert [1.0, 2.0] @ x == "asked"
for name, left in {"series": pd.Series([1.0, 2.0]), "frame": pd.DataFrame([[1.0, 2.0]])}.items():
    try:
        left @ x
    except IndexError as error:
        print(f"{name} @ x: IndexError: {error}")
        assert "tuple index out of range" in str(error)
    else:
        raise SystemExit(f"{name} @ x does not raise now")
PYTHON
