"""How source calls machine code: its numbers go into a buffer, and the results come out of it."""

from collections.abc import Iterable, Mapping, Sequence

from microgradlib.compiling.arguments import Field
from microgradlib.compiling.graph import Check
from microgradlib.compiling.templates import ATOM

# A call has a buffer of its own until it gives it back. What it unpacks is a copy.
_CALL = """\
try: buffer = buffers.pop()
except IndexError: buffer = new_buffer()
numbers, pointer = buffer
pack({})
status = run(pointer)
if status: fail(status)
o = unpack(numbers)
buffers.append(buffer)"""


def machine_call(
    fields: Sequence[Field], slopes: Iterable[int], arrays: Mapping[int, int], checks: list[Check]
) -> tuple[list[str], list[tuple[str, str]], tuple[str, str]]:
    """Return the lines that call machine code, the texts of its results, and both formats.

    Args:
        fields: what goes into the buffer.
        slopes: how many slopes follow each result.
        arrays: the beginnings and ends of results that come out as bytes, without slopes.
        checks: the decisions that C does not take; their numbers come out after the results.
    """
    texts: list[tuple[str, str]] = []
    formats: list[str] = []
    place = end = 0  # in what is unpacked, and of the last array
    for i, count in enumerate(slopes):
        if i < end:
            texts.append(("", ""))
            continue
        end = arrays.get(i, end)
        formats.append(f"{8 * (end - i)}s" if i < end else f"{1 + count}d")
        first, place = place, place + 1 + count
        texts.append((f"o[{first}]", f"o[{first + 1}:{place}]" if count else ""))
    lines = _CALL.format(", ".join(["numbers", "0", *[x.source for x in fields]])).splitlines()
    for check in checks:
        for x in check.symbols():
            x.text, x.binding = f"o[{place}]", ATOM
            place += 1
            formats.append("d")
        lines.append(check.line())
    return lines, texts, ("".join([field.format for field in fields]), "".join(formats))
