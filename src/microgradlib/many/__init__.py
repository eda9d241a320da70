"""One function over many rows."""

from microgradlib.many.scan import scan
from microgradlib.many.vmap import vmap

__all__ = ["scan", "vmap"]
