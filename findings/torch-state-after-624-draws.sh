#!/usr/bin/env bash
# PyTorch 2.13.0: the place in the block of random numbers is 0 after manual_seed, and 624 after 624
# draws, although both mean that the next draw begins a block.
#
# torch.get_rng_state() has 5,056 bytes: the seed, how many numbers of the block are left, whether it
# was seeded, the place of the next number, and the 624 words of the Mersenne Twister. Right after
# manual_seed the place is 0 and one number is "left"; after exactly 624 draws of 32 bits the place is
# 624, again with one left. A reader that takes the place modulo 624 gives the first state for the
# second: the same numbers follow, but the bytes are not those of torch.
#
# Seen on CPython 3.11: (left, seeded, next) are (1, 1, 0), (624, 1, 1), (1, 1, 624) and (624, 1, 1).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import struct

import torch


def place() -> tuple[int, int, int]:
    state = bytes(torch.get_rng_state().numpy())
    assert len(state) == 5056
    _, left, seeded, following = struct.unpack_from("<QiiQ", state)
    return left, seeded, following


torch.manual_seed(1)
seen = [place()]
for draws in (1, 623, 1):
    for _ in range(draws):
        torch.randint(0, 10, (1,))
    seen.append(place())
print(torch.__version__, seen)
assert seen == [(1, 1, 0), (624, 1, 1), (1, 1, 624), (624, 1, 1)]
PYTHON
