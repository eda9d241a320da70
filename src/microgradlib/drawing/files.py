"""Files of drawings and explanations, whose suffix tells the format."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from microgradlib.errors import short
from microgradlib.serialization import checked_path, write_bytes


def save_as(
    function: str, path: Any, formats: Mapping[str, Callable[[], str | bytes]], more: str = ""
) -> None:
    """Write what the function for the suffix of a file name returns.

    Raises:
        TypeError: if ``path`` is not a file name.
        ValueError: if there is no function for the suffix; ``more`` ends that message.
        OSError: if the file cannot be written.
    """
    path = checked_path(f"{function}(path)", path)
    make = formats.get(path.suffix.lower())
    if make is None:
        raise ValueError(
            f"{function}: no format for the suffix of {short(os.fspath(path))}; use one of "
            f"{', '.join(formats)}{more}"
        )
    made = make()
    write_bytes(path, made.encode("utf-8") if isinstance(made, str) else made)
