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
exclude_patterns = ["browser"]  # not a page of Sphinx; the tag "browser" adds a link to it
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

add_module_names = False
autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
napoleon_use_ivar = True
toc_object_entries_show_parents = "hide"

highlight_options = {"pycon": {"stripnl": True}}  # without the empty line that ends a doctest

html_theme = "pydata_sphinx_theme"
html_title = "microgradlib"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_sidebars: dict[str, list[str]] = {"index": [], "tutorial": []}  # these have no sidebar
html_theme_options = {
    "navbar_end": ["theme-switcher"],
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": [],
    "footer_end": [],
}


class Exports(SphinxDirective):
    """``.. exports:: nn.layers``: documents the public names that are defined in that module.

    A name is public if it is in the ``__all__`` of the room, or, if that has none, in that of
    ``microgradlib``.
    """

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the documentation, in the order of the source."""
        module = import_module(f"microgradlib.{self.arguments[0]}")
        package = import_module(f"microgradlib.{self.arguments[0].split('.')[0]}")
        owner = package if hasattr(package, "__all__") else microgradlib
        members = [getattr(owner, name) for name in owner.__all__]
        named = [x for x in members if hasattr(x, "__qualname__")]  # a class or function
        public = [x for x in named if x.__module__ == module.__name__]
        lines = []
        for x in sorted(public, key=lambda x: getsourcelines(x)[1]):
            kind = "autoclass" if isinstance(x, type) else "autofunction"
            lines.append(f".. {kind}:: {owner.__name__}.{x.__name__}")
            base = getattr(x, "__base__", object)
            if base not in members and base.__module__.startswith("microgradlib."):
                lines.append("   :inherited-members:")  # a base class that is not public itself
            elif base is not object:
                lines.append("   :show-inheritance:")
            lines.append("")
        return self.parse_text_to_nodes("\n".join(lines))


def setup(app: Sphinx) -> None:
    """Register what is defined here."""
    app.add_directive("exports", Exports)
