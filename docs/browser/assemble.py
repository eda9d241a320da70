"""Put the page together, for any server of static files: ``python docs/browser/assemble.py OUT``.

The directory OUT gets the page's own files, the library's wheel, and Pyodide, which
``npm ci --prefix docs/browser`` has put into ``docs/browser/node_modules``.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = ["index.html", "style.css", "app.js", "xor.js", "gpt.js", "worker.js"]
CODE = ["train.py", "learn_names.py"]
EXAMPLES = ["nanogpt.py", "names.txt"]
PYODIDE = [
    "pyodide.mjs",
    "pyodide.asm.mjs",
    "pyodide.asm.wasm",
    "pyodide-lock.json",
    "python_stdlib.zip",
]


def assemble(out: Path) -> None:
    """Write the page into a directory, over what an earlier run has left there."""
    pyodide = HERE / "node_modules" / "pyodide"
    if not pyodide.is_dir():
        sys.exit("assemble.py: Pyodide is missing; get it with: npm ci --prefix docs/browser")
    (out / "pyodide").mkdir(parents=True, exist_ok=True)
    for name in PAGE + CODE:
        shutil.copy(HERE / name, out)
    for name in EXAMPLES:
        shutil.copy(HERE.parent.parent / "examples" / name, out)
    for name in PYODIDE:
        shutil.copy(pyodide / name, out / "pyodide")
    with tempfile.TemporaryDirectory() as directory:
        build = [sys.executable, "-m", "build", "--quiet", "--wheel", "--outdir", directory]
        if subprocess.run([*build, str(HERE.parent.parent)]).returncode:
            sys.exit(
                'assemble.py: no wheel; pip install "microgradlib[browser]" brings its builder'
            )
        (wheel,) = Path(directory).glob("*.whl")
        shutil.copy(wheel, out / "microgradlib.whl")
        shutil.copy(wheel, out)  # under its own name, as installers ask for


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Assemble the page that trains in the browser.")
    parser.add_argument("out", type=Path, metavar="OUT", help="the directory to write")
    options = parser.parse_args()
    assemble(options.out)
    print(f"python -m http.server --bind 127.0.0.1 --directory {options.out}")


if __name__ == "__main__":
    main()
