"""Functions of floats: no graph, no derivatives but as closed forms."""
