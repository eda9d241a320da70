"""One function over many rows."""

from microgradlib.many.vmap import vmap

__all__ = ["vmap"]
