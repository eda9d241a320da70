#!/usr/bin/env bash
# mypy 2.4.1: a type variable with constraints of which one is Any is solved to Any, always, also
# where the argument matches another constraint exactly. A function annotated to return what it got,
# `T = TypeVar("T", float, Node, Any)`, returns Any for a float, so that its callers are checked no
# more, and --strict does not complain. Without Any among the constraints the float comes back.
#
# Seen on CPython 3.11:
#   with Any: Revealed type is "Any"
#   without: Revealed type is "float"
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "mypy==2.4.1"
cat >"$folder/example.py" <<'PYTHON'
from typing import Any, TypeVar


class Node: ...


T = TypeVar("T", float, Node, Any)
S = TypeVar("S", float, Node)


def loose(x: T) -> T:
    return x


def exact(x: S) -> S:
    return x


reveal_type(loose(0.5))
reveal_type(exact(0.5))
PYTHON
found=$(cd "$folder" && venv/bin/mypy --strict example.py)
loose=$(grep -o 'Revealed type is ".*"' <<<"$found" | sed -n 1p)
exact=$(grep -o 'Revealed type is ".*"' <<<"$found" | sed -n 2p)
echo "with Any: $loose"
echo "without: $exact"
test "$loose" = 'Revealed type is "Any"'
grep -q 'float"$' <<<"$exact"
