"""A Sphinx extension: what the launch buttons of a published book open.

A book whose repository has a public address (AUDIOPG_REPOSITORY, which the workflow that publishes
it sets) is published with two more folders. ``launch/`` has every chapter as a notebook whose first
cell installs the library where it is missing, as on Colab; ``binder/`` tells Binder to install it
beforehand. The buttons point to both on the branch that the pages are published on. Without an
address there are no buttons, and nothing is written.
"""

import os
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from sphinx.application import Sphinx
from sphinx.config import Config

# The whole repository, since chapters read records; editable, since they read them beside it.
INSTALL = """\
# Installs AudioPG where it is missing, such as on Colab: a minute or two.
import importlib.util
import sys
from pathlib import Path

if importlib.util.find_spec("audiopg") is None:
    !git clone --quiet --depth 1 {url} audiopg-book
    %pip install --quiet --editable "audiopg-book[notebooks]"
    sys.path.insert(0, str(Path("audiopg-book").resolve()))
"""
POST_BUILD = """\
#!/bin/bash
set -euo pipefail
git clone --quiet --depth 1 {url} audiopg-book
pip install --no-cache-dir --editable "audiopg-book[notebooks]"
"""
PYTHON = "python-3.11\n"


def with_install(notebook: NotebookNode, url: str) -> NotebookNode:
    """A chapter after a cell that installs the library; the chapter given is left alone."""
    cell = new_code_cell(INSTALL.format(url=url), id="install")
    return NotebookNode({**notebook, "cells": [cell, *notebook.cells]})


def write_launch_files(app: Sphinx, exception: Exception | None) -> None:
    """Write ``launch/`` and ``binder/`` beside the pages."""
    url = app.config.html_theme_options.get("repository_url")
    if exception is not None or app.builder.name != "html" or not url:
        return
    out = Path(app.outdir)
    for docname in sorted(app.env.found_docs):
        source = Path(app.env.doc2path(docname))
        if source.suffix == ".ipynb":
            target = out / "launch" / f"{docname}.ipynb"
            target.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(with_install(nbformat.read(source, as_version=4), url), target)
    binder = out / "binder"
    binder.mkdir(exist_ok=True)
    (binder / "runtime.txt").write_text(PYTHON)
    (binder / "postBuild").write_text(POST_BUILD.format(url=url))
    (binder / "postBuild").chmod(0o755)


def set_address(app: Sphinx, config: Config) -> None:
    """Tell the theme the address, or, without one, to make no buttons: it fails on their links."""
    url = os.environ.get("AUDIOPG_REPOSITORY")
    if url:
        config.html_theme_options["repository_url"] = url
    else:
        config.html_theme_options.pop("launch_buttons", None)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", set_address)
    app.connect("build-finished", write_launch_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
