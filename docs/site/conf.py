"""How the pages of docs/, and those beside them, become a site: `make docs`.

Sphinx, since its pages and its search work from a folder, without a server or a network, and since every
link that leads nowhere is a warning, which ends the build.
"""

from __future__ import annotations

import sys
from pathlib import Path

from maskkit import __version__

sys.path.insert(0, str(Path(__file__).parent))  # the extensions beside this file

project = "maskkit"
version = release = __version__
copyright = "the maskkit authors, MIT licence"  # noqa: A001 - Sphinx's name for it
language = "en"
smartquotes = False  # two hyphens begin an option

# The sources are the project's folder, so that a link means the same here, in an editor and in a repository.
root_doc = "docs/index"
include_patterns = [
    "docs/**.md", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/README.md",
    "examples/README.md",
]  # fmt: skip
exclude_patterns = [".*", "demo", "maskkit", "run", "tests"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "declarations", "one_host"]
myst_heading_anchors = 4
myst_enable_extensions = ["deflist"]
default_role = "code"  # what docstrings have in single backticks
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
python_maximum_signature_line_length = 80

html_theme = "furo"
html_title = f"maskkit {__version__}"
html_show_sphinx = False
html_copy_source = False
html_static_path = ["static"]
html_css_files = ["site.css"]
pygments_style, pygments_dark_style = "friendly", "github-dark"
