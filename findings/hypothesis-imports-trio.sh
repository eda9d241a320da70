#!/usr/bin/env bash
# Hypothesis 6.170.17 with trio 0.35.0: "import hypothesis" imports trio wherever trio is installed.
#
# Trio has an entry point for Hypothesis, in the module of its event loop, and Hypothesis calls all
# entry points when it is imported. A package that brings trio along, as selenium does, thus makes
# every test run that uses Hypothesis import an event loop. HYPOTHESIS_NO_PLUGINS=1 leaves it out.
#
# Seen on CPython 3.11: True False; the import took 0.41 s with trio, 0.15 s without
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "hypothesis==6.170.17" "trio==0.35.0"
program='import sys, hypothesis; print("trio" in sys.modules)'
found=$("$folder/venv/bin/python" -c "$program")
without=$(HYPOTHESIS_NO_PLUGINS=1 "$folder/venv/bin/python" -c "$program")
echo "$found $without"
test "$found $without" = "True False"
