"""The tools that store the outputs of chapters and build the pages."""

import errno
import importlib.util
import os
import re
import shutil
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from unittest.mock import Mock

import nbformat
import pytest
import yaml
from docutils import nodes
from docutils.utils import new_document
from nbformat import v4
from safetensors import SafetensorError
from sphinx.ext.napoleon import Config, GoogleDocstring

BOOK = Path(__file__).parents[2] / "book"
SOUND = '<audio controls src="data:audio/ogg;base64,T2dnUw=="></audio>'
CHAPTER = f"""\
# %% [markdown]
# # A chapter

# %% tags=["hide-input"]
from pathlib import Path

print(Path.cwd().name)

# %%
from IPython.display import HTML

HTML('{SOUND}')
"""


def tool(name: str) -> ModuleType:
    # The tools are scripts, and find one another beside themselves.
    if str(BOOK) not in sys.path:
        sys.path.append(str(BOOK))
    spec = importlib.util.spec_from_file_location(name, BOOK / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


api_links = tool("api_links")
refresh = tool("refresh")
offline_pages = tool("offline_pages")
folding = tool("folding")
units = tool("units")
lab = tool("lab")
build = tool("build")
ChapterError = build.ChapterError


@pytest.fixture
def chapter(tmp_path):
    path = tmp_path / "01_chapter.py"
    path.write_text(CHAPTER)
    return path


def test_refresh_stores_outputs_without_sounds_and_the_same_at_every_run(chapter):
    refresh.refresh(chapter)
    first = chapter.with_suffix(".ipynb").read_bytes()
    refresh.refresh(chapter)
    assert chapter.with_suffix(".ipynb").read_bytes() == first
    notebook = nbformat.reads(first.decode(), as_version=4)
    title, where, player = notebook.cells
    assert title.source == "# A chapter"
    assert where.metadata == {"tags": ["hide-input"]}
    assert where.outputs[0].text == f"{chapter.parent.name}\n"
    assert player.outputs[0].data["text/html"] == '<audio controls src=""></audio>'
    assert notebook.metadata.jupytext == {"formats": "ipynb,py:percent"}
    assert notebook.metadata.kernelspec.name == "python3"


def test_refresh_names_the_failing_cell_and_writes_nothing(chapter):
    chapter.write_text(CHAPTER + "\n# %%\n1 / 0\n")
    expected = r"^01_chapter\.py, cell 4 of 4: ZeroDivisionError: division by zero\n    1 / 0$"
    with pytest.raises(refresh.ChapterError, match=expected) as caught:
        refresh.refresh(chapter)
    assert "\x1b" not in str(caught.value)
    assert list(chapter.parent.iterdir()) == [chapter]


def test_refresh_refuses_a_chapter_that_does_not_exist(capsys):
    assert refresh.main(["99_nothing"]) == 2
    assert "No chapter 99_nothing" in capsys.readouterr().err


def test_strip_keeps_everything_but_sounds_widgets_and_versions():
    view = "application/vnd.jupyter.widget-view+json"
    html = f"<figure><figcaption>A & B</figcaption>{SOUND}{SOUND}</figure>"
    data = {"text/html": html, "text/plain": "Slider()", view: {"model_id": "1"}}
    cell = v4.new_code_cell(outputs=[v4.new_output("display_data", data=data)])
    cell.metadata.execution = {"iopub.status.idle": "now"}
    metadata = {"widgets": {"state": {}}, "language_info": {"name": "python", "version": "3.11"}}
    notebook = v4.new_notebook(cells=[cell], metadata=metadata)
    refresh.strip(notebook)
    silent = '<audio controls src=""></audio>'
    assert cell.outputs[0].data == {
        "text/html": f"<figure><figcaption>A & B</figcaption>{silent}{silent}</figure>",
        "text/plain": "Slider()",
    }
    assert cell.metadata == {}
    assert notebook.metadata == {"language_info": {"name": "python"}}


def test_nbval_forgives_exactly_what_refresh_strips():
    rules = (BOOK / "nbval.cfg").read_text()
    ((pattern, replacement),) = re.findall(r"^regex: (.*)\nreplace: (.*)$", rules, re.MULTILINE)
    assert re.sub(pattern, replacement, SOUND) == '<audio controls src=""></audio>'
    assert pattern == refresh._EMBEDDED.pattern


@pytest.fixture
def repository(tmp_path):
    for name in ("audiopg/mae.py", "results/run.json", "requirements.lock", "book/preface.md"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    return tmp_path


@pytest.mark.parametrize(
    "name", ["audiopg/mae.py", "audiopg/new.py", "results/run.json", "requirements.lock"]
)
def test_chapters_run_again_when_what_they_use_changes(repository, name):
    before = build.execution_key(repository)
    (repository / name).write_text("changed")
    assert build.execution_key(repository) != before


def test_chapters_run_again_at_another_scale_or_with_other_recordings(repository, monkeypatch):
    data = repository / "recordings"
    data.mkdir()
    keys = [build.execution_key(repository)]
    monkeypatch.setenv("AUDIOPG_SCALE", "paper")
    keys.append(build.execution_key(repository))
    monkeypatch.setenv("AUDIOPG_DATA", str(data))
    keys.append(build.execution_key(repository))
    (data / "ESC-50").mkdir()
    keys.append(build.execution_key(repository))
    assert len(set(keys)) == 4


def test_chapters_do_not_run_again_for_prose_or_for_what_is_the_same_by_default(
    repository, monkeypatch
):
    monkeypatch.delenv("AUDIOPG_SCALE", raising=False)
    before = build.execution_key(repository)
    (repository / "book/preface.md").write_text("changed")
    monkeypatch.setenv("AUDIOPG_SCALE", "smoke")
    monkeypatch.setenv("AUDIOPG_DATA", "")
    # What Python and Numba compile while a chapter runs.
    compiled = repository / "audiopg/synth/__pycache__"
    compiled.mkdir(parents=True)
    for suffix in (".pyc", ".nbi", ".1.nbc"):
        (compiled / f"envelopes{suffix}").write_text("compiled")
    assert build.execution_key(repository) == before


@pytest.mark.parametrize(
    "text",
    [
        '<script async src="https://cdn.example/x.js"></script>',
        "<img alt='a' src='http://example.org/x.png'>",
        '<script src="//cdn.example/x.js">',
        '<link rel="stylesheet" href="https://fonts.example/css">',
        '<link href="https://fonts.example" rel="preconnect">',
        "@font-face { src: url(https://fonts.example/a.woff2) }",
        '@import "https://fonts.example/css";',
    ],
)
def test_a_request_to_another_host_is_found(text):
    assert len(offline_pages.remote_requests(text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        '<a href="https://example.org">a link is not followed by itself</a>',
        '<script src="../_static/doctools.js?v=1"></script>',
        '<audio controls src="data:audio/ogg;base64,//8="></audio>',
        '<link rel="canonical" href="https://example.org/page.html">',
        "div { background: url(data:image/svg+xml;base64,//8=) }",
    ],
)
def test_what_stays_on_the_machine_is_not_reported(text):
    assert offline_pages.remote_requests(text) == []


def test_the_policy_of_a_page_lets_its_own_scripts_run_and_no_other():
    # The digest is the example of the W3C's Content Security Policy Level 3.
    hello = "alert('Hello, world.');"
    digest = "'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='"
    written = f"<p><script>{hello}</script></p>"
    clicked = '<b onclick="alert(&#39;Hello, world.&#39;);">'
    elsewhere = f'<script src="a.js"></script><p>{hello}</p><b class="on">'
    for page in (written, clicked, written + clicked):
        assert [policy.count(digest) for policy in offline_pages.policies([page])] == [1]
    # What is clicked may run in every page, and what is written in its own.
    assert [digest in policy for policy in offline_pages.policies([written, elsewhere])] == [1, 0]
    assert [digest in policy for policy in offline_pages.policies([clicked, elsewhere])] == [1, 1]
    (policy,) = offline_pages.policies([elsewhere])
    assert "sha256" not in policy
    assert "http" not in policy
    assert "'unsafe-inline'" not in policy.partition("style-src")[0]


@pytest.fixture
def notebooks(tmp_path):
    """Three chapters that note where and how often they were executed."""
    paths = []
    for number in (1, 2, 3):
        code = f"print({number}); open('ran', 'a').write('{number}');"
        path = tmp_path / f"{number}.ipynb"
        nbformat.write(v4.new_notebook(cells=[v4.new_code_cell(code)]), path)
        paths.append(path)
    return paths


def test_a_chapter_is_executed_once_until_its_code_changes(notebooks, tmp_path):
    cache = tmp_path / "cache"
    before = [path.read_bytes() for path in notebooks]
    build.execute_missing(notebooks, cache, at_once=2)
    assert [path.read_bytes() for path in notebooks] == before
    changed = nbformat.read(notebooks[1], as_version=4)
    changed.cells.insert(0, v4.new_markdown_cell("More prose."))
    nbformat.write(changed, notebooks[1])
    build.execute_missing(notebooks, cache, at_once=2)
    assert sorted((tmp_path / "ran").read_text()) == ["1", "2", "3"]
    changed.cells[1].source += " 0"
    nbformat.write(changed, notebooks[1])
    build.execute_missing(notebooks, cache, at_once=2)
    assert sorted((tmp_path / "ran").read_text()) == ["1", "2", "2", "3"]


def test_progress_is_told_cell_by_cell(tmp_path, capsys):
    path = tmp_path / "1.ipynb"
    cells = [v4.new_code_cell("1"), v4.new_markdown_cell("# two"), v4.new_code_cell("3")]
    nbformat.write(v4.new_notebook(cells=cells), path)
    build.execute_missing([path], tmp_path / "cache", at_once=1)
    told = capsys.readouterr().out.splitlines()
    assert [told[0], *told[1:-1]] == [
        "Executing 1.ipynb",
        "1.ipynb: cell 1 of 3",
        "1.ipynb: cell 2 of 3",
        "1.ipynb: cell 3 of 3",
    ]
    assert told[-1].startswith("Executed 1.ipynb in ")


@contextmanager
def opened(folder):
    """The cache of the executed chapters."""
    cache = build.get_cache(folder)
    yield cache
    cache.db.dispose()


def test_the_cache_gives_a_chapter_its_outputs_and_its_seconds(notebooks, tmp_path):
    build.execute_missing(notebooks[:1], tmp_path / "cache", at_once=1)
    given = nbformat.read(notebooks[0], as_version=4)
    with opened(tmp_path / "cache") as cache:
        record = cache.match_cache_notebook(given)
        _, merged = cache.merge_match_into_notebook(given)
    assert record.data["execution_seconds"] > 0
    assert merged.cells[0].outputs[0].text == "1\n"


def fail(path, code):
    failing = nbformat.read(path, as_version=4)
    failing.cells[0].source = code
    nbformat.write(failing, path)


@pytest.mark.parametrize("at_once", [1, 3])
def test_chapters_that_fail_are_named_and_the_others_kept(notebooks, tmp_path, at_once):
    fail(notebooks[0], "1 / 0")
    fail(notebooks[1], "import os; os._exit(1)")
    with pytest.raises(ChapterError) as caught:
        build.execute_missing(notebooks, tmp_path / "cache", at_once)
    said = str(caught.value)
    assert said.startswith(
        "2 of 3 chapters failed; the others are kept.\n\n1.ipynb, cell 1 of 1: Zero"
    )
    # The line that failed, and where the rest is; the rest is not on the screen.
    assert ": ZeroDivisionError: division by zero\n    1 / 0\n" in said
    assert f"The whole traceback is in {tmp_path}/1.ipynb.traceback\n" in said
    assert "Traceback" in (tmp_path / "1.ipynb.traceback").read_text()
    assert len(said.splitlines()) < 12
    assert "\n\n2.ipynb, cell 1 of 1: its kernel died\n\nimport os; os._exit(1)" in said
    with opened(tmp_path / "cache") as cache:
        (record,) = cache.list_cache_records()
    assert Path(record.uri) == notebooks[2]
    # What is mended is all that runs again.
    for path in notebooks[:2]:
        fail(path, "open('ran', 'a').write('again')")
    build.execute_missing(notebooks, tmp_path / "cache", at_once)
    assert (tmp_path / "ran").read_text() == "3againagain"


def test_a_book_with_a_chapter_that_fails_ends_in_its_error(
    notebooks, tmp_path, monkeypatch, capsys
):
    fail(notebooks[0], "1 / 0")
    (tmp_path / "notebooks").mkdir()
    for path in notebooks:
        path.rename(tmp_path / "notebooks" / path.name)
    (tmp_path / "requirements.lock").write_text("")
    monkeypatch.setattr(build, "ROOT", tmp_path)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    monkeypatch.setattr(build, "ensure_laboratory", print)
    assert build.main() == 1
    assert "1 of 3 chapters failed" in capsys.readouterr().err
    assert not (tmp_path / "_build/html").exists()
    with opened(tmp_path / "_build/.jupyter_cache") as cache:
        assert len(cache.list_cache_records()) == 2


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        shutil.Error([("a", "b", "[Errno 28] No space left on device: 'b'")]),
        SafetensorError("Error while serializing: I/O error (os error 28)"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_book_on_a_full_disk_ends_in_a_sentence(tmp_path, monkeypatch, capsys, error):
    (tmp_path / "requirements.lock").write_text("")
    monkeypatch.setattr(build, "ROOT", tmp_path)
    monkeypatch.setattr(build, "ensure_laboratory", print)
    monkeypatch.setattr(build, "execute_missing", Mock(side_effect=error))
    assert build.main() == 1
    said = "_build cannot be written (No space left on device); make room, then: make book.\n"
    assert capsys.readouterr().err.endswith(said)


def test_what_was_built_stays_while_its_key_does(tmp_path, monkeypatch):
    built = tmp_path / "_build"
    build.clear(built, "key")
    (built / "kept").touch()
    monkeypatch.setattr(build, "atomic_path", None)
    build.clear(built, "key")
    assert (built / "kept").exists()
    monkeypatch.undo()
    build.clear(built, "another")
    assert [path.name for path in built.iterdir()] == ["execution_key"]


def test_no_limit_fails_what_is_merely_slow():
    """Half an hour a cell and more, wherever a chapter is executed."""
    settings = yaml.safe_load((BOOK.parent / "_config.yml").read_text())
    assert settings["execute"]["timeout"] == -1
    limits = re.findall(r"--nbval-\S+-timeout (\d+)", (BOOK.parent / "Makefile").read_text())
    assert len(limits) == 2
    assert all(int(seconds) >= 1800 for seconds in limits)
    seconds = tool("execution").LIMITS
    assert seconds["timeout"] is None
    assert seconds["startup_timeout"] >= 1800


def test_chapters_are_opened_as_copies_and_a_changed_copy_stays(tmp_path):
    chapters, folder = tmp_path / "notebooks", tmp_path / "lab"
    chapters.mkdir()
    for name in ("01_one.ipynb", "02_two.ipynb", "02_two.py"):
        (chapters / name).write_text(f"the book's {name}")
    assert lab.copy_chapters(chapters, folder) == []
    listed = [path.name for path in folder.iterdir() if not path.name.startswith(".")]
    assert sorted(listed) == ["01_one.ipynb", "02_two.ipynb"]
    (folder / "01_one.ipynb").write_text("mine")
    # Changed, but the book has nothing newer to offer.
    assert lab.copy_chapters(chapters, folder) == []
    for name in listed:
        (chapters / name).write_text("newer")
    assert lab.copy_chapters(chapters, folder) == ["01_one.ipynb"]
    assert (folder / "01_one.ipynb").read_text() == "mine"
    assert (folder / "02_two.ipynb").read_text() == "newer"
    (folder / "01_one.ipynb").unlink()
    assert lab.copy_chapters(chapters, folder) == []
    assert (folder / "01_one.ipynb").read_text() == "newer"


def test_copies_are_whole_or_not_there(tmp_path, largest_file, monkeypatch):
    chapters, folder = tmp_path / "notebooks", tmp_path / "lab"
    chapters.mkdir()
    for name in ("01_one.ipynb", "02_two.ipynb"):
        (chapters / name).write_text(name * 1000)
    monkeypatch.setattr(lab, "ROOT", tmp_path)
    with (
        largest_file(10_000),
        pytest.raises(SystemExit, match=r"lab cannot be written \(File too large\).* make lab"),
    ):
        lab.main()
    assert list(folder.iterdir()) == []
    assert lab.copy_chapters(chapters, folder) == []
    (chapters / "01_one.ipynb").write_text("newer")
    assert lab.copy_chapters(chapters, folder) == []
    assert (folder / "01_one.ipynb").read_text() == "newer"


@pytest.mark.parametrize("content", [b"", b'{"01_one', b"[]", b"\xff\x00"])
def test_copies_without_a_record_that_can_be_read_are_known_by_what_they_hold(tmp_path, content):
    (tmp_path / "01_one.ipynb").write_text("the book's")
    folder = tmp_path / "lab"
    assert lab.copy_chapters(tmp_path, folder) == []
    (folder / ".copied.json").write_bytes(content)
    assert lab.copy_chapters(tmp_path, folder) == []
    (tmp_path / "01_one.ipynb").write_text("newer")
    assert lab.copy_chapters(tmp_path, folder) == []
    assert (folder / "01_one.ipynb").read_text() == "newer"


def test_a_lab_is_started_as_root_too(tmp_path):
    assert "--allow-root" in lab.command(tmp_path, is_root=True)
    assert "--allow-root" not in lab.command(tmp_path, is_root=False)
    assert lab.command(tmp_path, is_root=False)[1:] == ["-m", "jupyterlab", str(tmp_path)]


@pytest.mark.parametrize(
    ("lines", "tag", "folds"),
    [(10, None, False), (11, None, True), (11, "all", False), (10, "input", True)],
)
def test_long_code_folds(lines, tag, folds):
    cell = nodes.container(nb_element="cell_code")
    if tag:
        cell["hide_mode"] = tag
    source = nodes.container(nb_element="cell_code_source")
    source += nodes.literal_block(text="\n".join(["pass"] * lines))
    cell += source
    document = new_document("a chapter")
    document += cell
    for builder in ("singlehtml", "html"):
        app = SimpleNamespace(builder=SimpleNamespace(name=builder))
        before = cell.get("hide_mode")
        folding.fold_long_code(app, document)
        if builder == "singlehtml":
            assert cell.get("hide_mode") == before
    assert (cell.get("hide_mode") == "input") == folds
    assert ("prompt_show" in cell) == folds
    if folds:
        assert cell["prompt_show"] == f"Show the code, {lines} lines"


@pytest.mark.parametrize(
    ("kind", "docstring", "told"),
    [
        ("property", "(n,): 1 where it is so, 0 else.", "(n,): 1 where it is so, 0 else."),
        ("property", "Length of an embedding.", "Length of an embedding."),
        (
            "function",
            "Do.\n\nReturns:\n    In per cent: all\n    of them.",
            ":returns: In per cent: all",
        ),
        ("function", "Do.\n\nReturns:\n    All.", ":returns: All."),
    ],
)
def test_what_stands_before_a_colon_is_no_type(kind, docstring, told):
    lines = GoogleDocstring(docstring, Config(), what=kind, name="it").lines()
    api_links.keep_sentences_whole(None, kind, "it", None, None, lines)
    assert told in lines
    assert not any(line.startswith((":type:", ":rtype:")) for line in lines)


def test_settings_are_listed_with_what_help_says():
    @dataclass
    class Settings:
        size: int = field(default=3, metadata={"help": "how large, without --start"})
        other: int = 4

    lines = ["Settings."]
    api_links.list_what_help_says(None, "class", "Settings", Settings, None, lines)
    assert "* ``size=3``: how large, without ``--start``" in lines
    assert not any("other" in line for line in lines)


def test_a_number_and_its_unit_stay_on_one_line():
    document = new_document("chapter")
    said = nodes.Text("75 % of 10.24 s, 3 of the 5 sets, 16 kHz ± 1, 8 × 512; ")
    document += nodes.paragraph("", "", said, nodes.literal("", "sleep 5 s"), nodes.Text(" 2 dB."))
    units.keep_together(None, document)
    expected = "75~% of 10.24~s, 3 of the 5 sets, 16~kHz ±~1, 8~×~512; sleep 5 s 2~dB."
    assert document.astext() == expected.replace("~", "\N{NO-BREAK SPACE}")


def test_a_head_and_an_interval_of_a_table_stay_on_one_line():
    document = new_document("chapter")
    table = '<tr><th class="a 5 s">95 % from</th><td>0.5 (0.28–-0.6)</td></tr><img src="5 s">'
    document += nodes.raw("", table, format="html")
    units.keep_together(None, document)
    expected = table.replace("5 %", "5\N{NO-BREAK SPACE}%")
    expected = expected.replace("0.28–-0.6", '<span class="unbroken">0.28–-0.6</span>')
    assert document.astext() == expected


def test_a_number_stays_with_its_name():
    document = new_document("chapter")
    lines = ("Table 1, chapter", "\n", "10 and Table S2: 80 of ESC-10, on 2026-11-30.")
    header = "<td>fold 3</td><th>ESC-10, fold 3</th>"
    document += nodes.paragraph("", "", *map(nodes.Text, lines))
    document += nodes.raw("", header, format="html")
    units.keep_together(None, document)
    paragraph, table = document.children
    expected = "Table~1, chapter~10 and Table~S2: 80 of ESC-10, on 2026-11-30."
    assert paragraph.astext() == expected.replace("~", "\N{NO-BREAK SPACE}")
    whole = [node.astext() for node in paragraph.findall(nodes.inline)]
    assert whole == ["ESC-10", "2026-11-30"]
    expected = '<td>fold~3</td><th><span class="unbroken">ESC-10</span>, fold~3</th>'
    assert table.astext() == expected.replace("~", "\N{NO-BREAK SPACE}")
