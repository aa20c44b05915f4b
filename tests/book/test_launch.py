"""What the launch buttons open, and the workflow that publishes it."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import yaml
from nbformat import v4

ROOT = Path(__file__).parents[2]
URL = "https://github.com/example/audiopg"

specification = importlib.util.spec_from_file_location("launch", ROOT / "book" / "launch.py")
launch = importlib.util.module_from_spec(specification)
specification.loader.exec_module(launch)


@pytest.fixture
def app(tmp_path):
    """What of a Sphinx application the extension looks at: a page of prose and a chapter."""
    sources = {"book/preface": tmp_path / "preface.md"}
    sources["notebooks/01_chapter"] = tmp_path / "01_chapter.ipynb"
    nbformat.write(
        v4.new_notebook(cells=[v4.new_code_cell("import audiopg")]), tmp_path / "01_chapter.ipynb"
    )
    return SimpleNamespace(
        config=SimpleNamespace(html_theme_options={"repository_url": URL}),
        builder=SimpleNamespace(name="html"),
        outdir=tmp_path / "html",
        env=SimpleNamespace(found_docs=set(sources), doc2path=sources.get),
    )


def test_a_published_chapter_installs_the_library_first(app):
    app.outdir.mkdir()
    launch.write_launch_files(app, None)
    (written,) = app.outdir.glob("launch/**/*.ipynb")
    assert written.relative_to(app.outdir).as_posix() == "launch/notebooks/01_chapter.ipynb"
    notebook = nbformat.read(written, as_version=4)
    nbformat.validate(notebook)
    install, first = notebook.cells
    assert f"git clone --quiet --depth 1 {URL}" in install.source
    assert first.source == "import audiopg"


def test_binder_installs_the_library_beforehand(app):
    app.outdir.mkdir()
    launch.write_launch_files(app, None)
    script = app.outdir / "binder" / "postBuild"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)
    assert URL in script.read_text()
    assert (app.outdir / "binder" / "runtime.txt").read_text().startswith("python-3.1")


def test_the_install_cell_does_nothing_where_the_library_is_there(tmp_path):
    from IPython.core.inputtransformer2 import TransformerManager

    code = TransformerManager().transform_cell(launch.INSTALL.format(url=URL))
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert list(tmp_path.iterdir()) == []


def test_without_an_address_there_are_no_buttons_and_no_files(app, monkeypatch):
    monkeypatch.delenv("AUDIOPG_REPOSITORY", raising=False)
    config = SimpleNamespace(html_theme_options={"launch_buttons": {"colab_url": "there"}})
    launch.set_address(None, config)
    assert config.html_theme_options == {}
    app.config = config
    launch.write_launch_files(app, None)
    assert not app.outdir.exists()


def test_with_an_address_the_theme_makes_buttons(monkeypatch):
    monkeypatch.setenv("AUDIOPG_REPOSITORY", URL)
    config = SimpleNamespace(html_theme_options={"launch_buttons": {"colab_url": "there"}})
    launch.set_address(None, config)
    assert config.html_theme_options["repository_url"] == URL
    assert config.html_theme_options["launch_buttons"] == {"colab_url": "there"}


# The workflows


def steps(name: str) -> list[dict]:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text())
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_the_workflow_runs_what_a_desk_runs():
    commands = " ".join(step.get("run", "") for step in steps("checks.yml"))
    for target in ("make test ", "make book ", "make test-book "):
        assert target in commands
    weekly = [step["run"] for step in steps("newest.yml") if "run" in step]
    tested, audited = weekly
    assert tested.startswith("make test-newest ")
    assert "pip-audit --requirement requirements.lock " in audited


def test_the_pages_are_pushed_to_the_branch_that_the_buttons_name(tmp_path):
    branch = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["branch"]
    here, there = tmp_path / "here", tmp_path / "there.git"
    (here / "_build" / "html" / "launch").mkdir(parents=True)
    (here / "_build" / "html" / "launch" / "01.ipynb").write_text("{}")
    (here / ".gitignore").write_text("/_build/\n*.ipynb\n")
    environment = {**os.environ, "GITHUB_SHA": "abc", "RUNNER_TEMP": str(tmp_path)}

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=here, check=True, capture_output=True, text=True
        ).stdout

    git("init", "--quiet")
    git("init", "--quiet", "--bare", str(there))
    git("remote", "add", "origin", str(there))
    push = steps("pages.yml")[-1]["run"]
    for _ in range(2):
        subprocess.run(
            ["bash", "-eo", "pipefail", "-c", push],
            cwd=here,
            env=environment,
            check=True,
            capture_output=True,
        )
    listed = git("ls-tree", "-r", "--name-only", git("ls-remote", "origin", branch).split()[0])
    assert listed.split() == [".nojekyll", "launch/01.ipynb"]
