"""How the documentation is built: ``sphinx-build -W docs <directory>``, without the network."""

from importlib import import_module
from inspect import getsourcelines

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import microgradlib

project = "microgradlib"
version = release = microgradlib.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["browser"]  # no page of Sphinx's; with the tag "browser" there is a link to it
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

add_module_names = False
autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
napoleon_use_ivar = True
toc_object_entries_show_parents = "hide"

highlight_options = {"pycon": {"stripnl": True}}  # the empty lines at which doctest stops

html_theme = "pydata_sphinx_theme"
html_title = "microgradlib"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_sidebars: dict[str, list[str]] = {"index": [], "tutorial": []}  # nothing is beside these
html_theme_options = {
    "navbar_end": ["theme-switcher"],
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": [],
    "footer_end": [],
}


class Exports(SphinxDirective):
    """``.. exports:: functions``: the public names of that module, documented.

    These are the names in its ``__all__``, or without one what ``microgradlib`` exports from it.
    """

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the documentation, in the order of the source."""
        module = import_module(f"microgradlib.{self.arguments[0]}")
        owner = module if hasattr(module, "__all__") else microgradlib
        members = [getattr(owner, name) for name in owner.__all__]
        public = [x for x in members if getattr(x, "__module__", "") == module.__name__]
        lines = []
        for x in sorted(public, key=lambda x: getsourcelines(x)[1]):
            kind = "autoclass" if isinstance(x, type) else "autofunction"
            lines.append(f".. {kind}:: {owner.__name__}.{x.__name__}")
            if getattr(x, "__base__", object) is not object:
                lines.append("   :show-inheritance:")
            lines.append("")
        return self.parse_text_to_nodes("\n".join(lines))


def setup(app: Sphinx) -> None:
    """Register what is defined here."""
    app.add_directive("exports", Exports)
