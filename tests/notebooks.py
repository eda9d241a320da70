"""Execute the notebooks again and compare: ``python tests/notebooks.py``; ``--write`` to update.

Every notebook under ``examples`` must be what comes out when its cells are run, in a normal form:
cells numbered in order, no metadata but the language. Text, HTML and SVG must be equal. Pictures
come out a little different with other versions of matplotlib: each frame must have the same size,
and at most one pixel in a thousand may differ by more than a quarter of the scale in any channel;
a missing curve or label is more than that. ``--write`` keeps a picture that is the same by this
rule, so that files change only where something did.

Needs the ``notebooks`` extra. Exits with 1 on any difference, and on any cell that fails.
"""

import argparse
import base64
import difflib
import io
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image, ImageSequence

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
STEP, SHARE = 64, 0.001  # of 255 levels; of the pixels
BYTES = 1_500_000  # of a notebook at most


def execute(notebook: Any) -> Any:
    """Run a notebook's cells in a new kernel; return it in the normal form."""
    cells: list[Any] = []
    for i, cell in enumerate(notebook.cells):
        kept = {key: cell[key] for key in ("cell_type", "source")}
        code = {"outputs": [], "execution_count": None} if cell.cell_type == "code" else {}
        cells.append({"id": f"cell-{i:02}", "metadata": {}, **kept, **code})
    fresh = nbformat.from_dict(
        {"cells": cells, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}
    )
    client = NotebookClient(
        fresh,
        timeout=600,  # a cell takes seconds; a busy machine must not fail it
        kernel_name="python3",  # the interpreter that runs this script
        extra_arguments=["--log-level=ERROR"],  # it warns of TCP, though only on 127.0.0.1
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(EXAMPLES)}},
    )
    with tempfile.TemporaryDirectory() as settings:  # not those of whoever runs this
        os.environ["IPYTHONDIR"] = settings
        os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
        client.execute()
    fresh.metadata = nbformat.from_dict(METADATA)
    for cell in fresh.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "stream" and output.name == "stderr":
                raise RuntimeError(f"a cell writes to stderr: {output.text}")
    return fresh


def frames(picture: str) -> list[np.ndarray]:
    """Return the pixels of each frame of a PNG in base64."""
    with Image.open(io.BytesIO(base64.b64decode(picture))) as image:
        return [np.asarray(frame.convert("RGBA")) for frame in ImageSequence.Iterator(image)]


def alike(old: str, new: str) -> bool:
    """Return whether two pictures show the same."""
    before, after = frames(old), frames(new)
    if [frame.shape for frame in before] != [frame.shape for frame in after]:
        return False
    return all(
        (abs(x.astype(int) - y).max(axis=-1) > STEP).mean() <= SHARE
        for x, y in zip(before, after, strict=True)
    )


def keep_pictures(old: Any, new: Any) -> None:
    """Put the old pictures in place of new ones that show the same."""
    for before, after in zip(old.cells, new.cells, strict=False):
        pairs = zip(before.get("outputs", []), after.get("outputs", []), strict=False)
        for x, y in pairs:
            pictures = [output.get("data", {}).get("image/png") for output in (x, y)]
            if all(pictures) and alike(*pictures):
                y.data["image/png"] = pictures[0]


def check(file: Path, write: bool) -> bool:
    """Execute one notebook; return whether its file is, or now is, what came out."""
    text = file.read_text("utf-8")
    old = nbformat.reads(text, as_version=4)
    start = time.monotonic()
    try:
        new = execute(old)
    except (CellExecutionError, RuntimeError) as error:
        print(f"{file.name}: {error}")
        return False
    seconds = time.monotonic() - start
    keep_pictures(old, new)
    result = nbformat.writes(new, ensure_ascii=False) + "\n"
    print(f"{file.name}: {len(new.cells)} cells, {seconds:.0f} s, {len(result):,} bytes")
    if len(result) > BYTES:
        print(f"  more than {BYTES:,} bytes")
        return False
    if write:
        file.write_text(result, "utf-8")
    elif result != text:
        lines = difflib.unified_diff(
            text.splitlines(), result.splitlines(), "committed", "executed", n=1, lineterm=""
        )
        for line in lines:
            print(f"  {line[:160]}")
        print("  look at it, and then run: python tests/notebooks.py --write")
        return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description="Execute the notebooks and compare their outputs.")
    parser.add_argument("--write", action="store_true", help="put the outputs into the files")
    parser.add_argument("files", nargs="*", type=Path, help="notebooks; default: all")
    options = parser.parse_args()
    files = options.files or sorted(EXAMPLES.glob("*.ipynb"))
    good = [check(file, options.write) for file in files]
    return 0 if files and all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
