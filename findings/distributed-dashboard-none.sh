#!/usr/bin/env bash
# distributed 2026.8.0: LocalCluster(dashboard_address=None) still asks for port 8787, and warns if
# another program has it. dashboard_address="127.0.0.1:0" takes a free port, without a warning.
#
# A program or a test that turns warnings into errors, and starts a cluster beside another one, fails
# with None, which looks like "no dashboard".
#
# Seen on CPython 3.11: with None one warning, "Port 8787 is already in use"; with "127.0.0.1:0" none.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet dask==2026.8.0 distributed==2026.8.0
cat >"$folder/look.py" <<'PYTHON'
import socket
import warnings

import distributed


def ports_warned_of(address: str | None) -> int:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=address
        ):
            pass
    return sum("Port 8787 is already in use" in str(x.message) for x in caught)


with socket.socket() as taken:
    try:
        taken.bind(("127.0.0.1", 8787))
    except OSError:
        pass  # another program has it, which is as good
    taken.listen()
    seen = ports_warned_of(None), ports_warned_of("127.0.0.1:0")
print(distributed.__version__, seen)
assert seen == (1, 0)
PYTHON
"$folder/venv/bin/python" "$folder/look.py"
