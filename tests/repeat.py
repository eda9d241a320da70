"""Run the whole suite again and again with random seeds: ``python tests/repeat.py 20``.

Every run has its own hash seed and its own Hypothesis seed, and prints both, so that a failure can
be repeated. Further arguments go to pytest: ``python tests/repeat.py 20 -m "not torch"``.
"""

import os
import random
import subprocess
import sys
import time


def main(times: int, arguments: list[str]) -> int:
    failed = 0
    for i in range(1, times + 1):
        hash_seed, seed = random.randrange(2**32), random.randrange(2**32)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        start = time.monotonic()
        result = subprocess.run(
            [*command, f"--hypothesis-seed={seed}", *arguments],
            env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
            capture_output=True,
            text=True,
        )
        seconds = time.monotonic() - start
        verdict = result.stdout.strip().splitlines()[-1]
        print(f"{i}/{times}: {verdict}; {seconds:.0f} s", end=" ")
        print(f"(PYTHONHASHSEED={hash_seed} --hypothesis-seed={seed})", flush=True)
        if result.returncode:
            failed += 1
            print(result.stdout, result.stderr, flush=True)
    print(f"{times - failed} of {times} runs passed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20, sys.argv[2:]))
