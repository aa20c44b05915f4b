"""The files of the project agree with one another, and the imports keep to their order."""

import ast
import graphlib
import importlib
import io
import pkgutil
import re
import subprocess
import sys
import tokenize
import tomllib
from pathlib import Path

import jupytext
import nbformat
import pytest
import yaml
from nbformat import NotebookNode
from packaging.requirements import Requirement

import audiopg
from audiopg import book, commands

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DIRECT = [
    Requirement(line)
    for lines in [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    for line in lines
]
# What environment.yml takes as a wheel.
WHEELS = {"ipywidgets", "jupyter-book", "jupytext", "myst-nb", "nbval", "onnx", "onnxruntime"} | {
    "onnxscript", "playwright", "sphinx-book-theme", "sphinx-codeautolink", "timm", "torch"
} | {"torchaudio"
}  # fmt: skip
# Where the name of an import is not that of what is installed for it.
INSTALLED_AS = {"IPython": "ipython", "sklearn": "scikit-learn", "yaml": "pyyaml"}
# What a module may import beyond the dependencies of the library: an extra installs it. Without it,
# the module cannot be imported, or says in one sentence what to install.
EXTRAS = {
    "compiled": {"numba"},
    "book/export": {"onnx", "onnxscript"},
    "book/plots": {"matplotlib"},
    "book/widgets": {"ipython", "ipywidgets"},
    # Asked for by a database of audformat, and by its tables that end in .parquet.
    "datasets/manifest_formats": {"pyarrow", "pyyaml"},
    # Comes with a torch for CUDA; the module is imported for a CUDA device alone.
    "synth/kernels": {"triton"},
    # Asked for by the name of a table that ends in .parquet.
    "transfer/embedding": {"pyarrow"},
}
# Where conda-forge's name differs from the Python package index's.
CONDA_NAMES = {"matplotlib": "matplotlib-base", "soundfile": "pysoundfile", "soxr": "soxr-python"}
# The order in which data flows; a module imports what stands in an earlier row, or its own.
LAYERS = [
    {"_types", "compiled", "errors"},
    {"distributed", "environment", "inputs", "random"},
    {"fetch", "muon", "synth"},
    {"settings"},
    {"runs"},
    {"frontend", "records"},
    {"embedding", "initial"},
    {"mae"},
    {"datasets", "layouts"},
    {"pretrained"},
    {"recipes"},
    {"checkpoints"},
    {"pretraining"},
    {"transfer"},
    {"analysis"},
    {"book"},
    {"commands"},
    {"__main__"},
]
# A function fits a screen.
SCREEN = 60
MODULES = sorted((ROOT / "audiopg").rglob("*.py"))
CHAPTERS = sorted((ROOT / "notebooks").glob("*.py"))
TEMPLATE = ROOT / "notebooks" / "template" / "template.py"
MOST_BYTES = 1_000_000


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# The environment


def test_one_place_asks_the_environment_for_recordings_and_scale():
    """Everything else calls data_folder and scale, for which an empty variable is an unset one."""
    asks = re.compile(r"(environ|getenv)[^\n]*AUDIOPG_(DATA|SCALE)")
    tested = [*MODULES, *CHAPTERS, *ROOT.glob("book/*.py"), *ROOT.glob("benchmarks/*.py")]
    tested += [path for path in ROOT.glob("tests/**/*.py") if "node_modules" not in path.parts]
    found = [name_of(path) for path in tested if asks.search(path.read_text())]
    assert found == ["audiopg/environment.py"]


# Dependencies


def locked_versions() -> dict[str, list[str]]:
    """Every version of a package in the lock; more than one where it depends on the platform."""
    versions: dict[str, list[str]] = {}
    for line in (ROOT / "requirements.lock").read_text().splitlines():
        requirement = Requirement(line)
        (specifier,) = requirement.specifier
        versions.setdefault(requirement.name, []).append(specifier.version)
    return versions


def test_lock_holds_exact_versions_and_no_address():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    assert lines
    for line in lines:
        assert re.fullmatch(r"[a-z0-9.-]+==[a-z0-9.]+( ; [^:/@]+)?", line), line


@pytest.mark.parametrize("requirement", DIRECT, ids=str)
def test_lock_satisfies_every_direct_dependency(requirement):
    versions = locked_versions()[requirement.name]
    assert all(requirement.specifier.contains(version) for version in versions)


def test_conda_environment_names_the_same_dependencies():
    *conda, by_pip = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    expected = {
        f"{CONDA_NAMES.get(requirement.name, requirement.name)}": requirement.specifier
        for requirement in DIRECT
        if requirement.name not in WHEELS
    }
    found = {Requirement(line).name: Requirement(line).specifier for line in conda}
    assert found.pop("python") == Requirement(f"python{PROJECT['requires-python']}").specifier
    assert found.pop("pip") == ""
    assert found == expected
    *wheels, editable = by_pip["pip"]
    assert {Requirement(line) for line in wheels} == {
        requirement for requirement in DIRECT if requirement.name in WHEELS
    }
    assert editable == "--editable ."


@pytest.mark.parametrize("requirement", DIRECT, ids=str)
def test_a_newer_release_is_let_in(requirement):
    """Who installs the library keeps a newer torch, say; exact versions are in the lock alone."""
    assert {each.operator for each in requirement.specifier} <= {">=", "<"}


def imported_from_elsewhere(path: Path) -> set[str]:
    """What has to be installed for the imports of a file."""
    roots = {name.split(".")[0] for name in imports(path)}
    return {INSTALLED_AS.get(name, name) for name in roots - sys.stdlib_module_names - {"audiopg"}}


def test_what_the_library_imports_is_what_it_declares():
    declared = {Requirement(line).name for line in PROJECT["dependencies"]}
    found = set()
    for path in MODULES:
        place = path.relative_to(ROOT / "audiopg").with_suffix("").as_posix()
        beyond = imported_from_elsewhere(path) - EXTRAS.get(place, set())
        assert beyond <= declared, path
        found |= beyond
    assert found == declared
    extras = {requirement.name for requirement in DIRECT} - declared
    assert set().union(*EXTRAS.values()) - {"triton", "pyarrow"} <= extras


def test_version_is_the_same_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["version"] == audiopg.__version__
    assert citation["license"] == PROJECT["license"]
    released = f"\n## {audiopg.__version__}, {citation['date-released']}\n"
    assert released in (ROOT / "CHANGELOG.md").read_text()


def test_the_paper_is_cited_alike_everywhere():
    (paper,) = yaml.safe_load((ROOT / "CITATION.cff").read_text())["references"]
    (identifier,) = paper["identifiers"]
    entry = (ROOT / "book/references.bib").read_text().partition("@inproceedings{audiopg2026,")[2]
    entry = dict(re.findall(r"(\w+) += \{(.+)\}", entry.partition("\n}")[0]))
    people = [(author["given-names"], author["family-names"]) for author in paper["authors"]]
    assert entry["author"] == " and ".join(f"{family}, {given}" for given, family in people)
    assert entry["title"] == paper["title"]
    assert entry["booktitle"] == paper["conference"]["name"]
    assert entry["doi"] == paper["doi"] == "10.1145/3805622.3810789"
    assert f"arXiv:{entry['eprint']}" == identifier["value"] == "arXiv:2606.14791"
    page = (ROOT / "book/cite.md").read_text().replace("\n", " ")
    assert paper["doi"] in page
    assert identifier["value"] in page
    assert all(f"{given} {family}" in page for given, family in people)


# Imports


def imports(path: Path) -> set[str]:
    """Every module that a file imports, wherever in it, but for annotations; full names."""
    found, nodes = set(), [ast.parse(path.read_text())]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            nodes += ast.iter_child_nodes(node)
    return found


def layer(name: str) -> int:
    return next(index for index, names in enumerate(LAYERS) if name in names)


def run_python(code: str) -> str:
    """What a fresh interpreter prints."""
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_library_needs_neither_figures_nor_widgets_nor_files():
    absent = ["IPython", "av", "ipywidgets", "matplotlib", "pandas", "soundfile", "soxr"]
    run_python(
        f"import sys; sys.modules.update(dict.fromkeys({absent})); import audiopg\n"
        "for name in audiopg.__all__: getattr(audiopg, name)"
    )


def test_only_the_analyses_load_the_packages_of_statistics():
    loaded = run_python(
        "import sys, audiopg, audiopg.commands.synth, audiopg.commands.pretrain\n"
        "for name in set(audiopg.__all__) - {'analysis'}: getattr(audiopg, name)\n"
        "print(*sys.modules)"
    ).split()
    assert "audiopg.mae" in loaded
    unwanted = {"sklearn", "pandas", "matplotlib", "audiopg.book", "audiopg.transfer"}
    assert unwanted & {*loaded} == set()
    assert "torch" not in run_python("import sys, audiopg; print(*sys.modules)").split()


def test_names_of_the_library_are_those_that_editors_are_told_of():
    (told,) = (
        node
        for node in ast.parse(Path(audiopg.__file__).read_text()).body
        if isinstance(node, ast.If)
    )
    homes = {alias.name: node.module for node in told.body for alias in node.names}
    assert sorted(homes) == sorted(audiopg.__all__)
    for name, home in homes.items():
        module = importlib.import_module(home if name != "analysis" else "audiopg.analysis")
        assert getattr(audiopg, name) is vars(module).get(name, module)
    assert {*audiopg.__all__} < {*dir(audiopg)}
    assert audiopg.datasets is importlib.import_module("audiopg.datasets")
    with pytest.raises(AttributeError, match="module 'audiopg' has no attribute 'sound'"):
        _ = audiopg.sound


def test_the_list_of_commands_is_there_before_torch_is():
    shown = run_python(
        "import sys; sys.modules['torch'] = None\n"
        "from audiopg.__main__ import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as end: assert end.code == 0"
    )
    modules = {module.name for module in pkgutil.iter_modules(commands.__path__)} - {"common"}
    assert modules == {*commands.COMMANDS}
    assert re.findall(r"^    ([a-z]+)\b", shown, re.MULTILINE) == [*commands.COMMANDS]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_plots_draws_and_only_widgets_has_widgets(path):
    roots = {name.split(".")[0] for name in imports(path)}
    if path.name != "plots.py":
        assert "matplotlib" not in roots
    if path.name != "widgets.py":
        assert "ipywidgets" not in roots


@pytest.mark.parametrize(
    "path", [path for path in MODULES if path.name != "__init__.py"], ids=name_of
)
def test_imports_go_one_way(path):
    own = path.relative_to(ROOT / "audiopg").with_suffix("").parts[0]
    names = {name for names in LAYERS for name in names}
    used = {name.split(".")[1] for name in imports(path) if name.startswith("audiopg.")} & names
    assert [other for other in sorted(used - {own}) if layer(other) >= layer(own)] == []


def test_no_imports_go_in_a_circle():
    """The modules of a package have an order too."""
    names = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path
        for path in MODULES
        if path.name != "__init__.py"
    }
    order = graphlib.TopologicalSorter(
        {name: imports(path) & names.keys() for name, path in names.items()}
    )
    assert {*order.static_order()} == names.keys()


def test_the_book_is_loaded_only_by_what_draws_or_reproduces():
    loaded = run_python(
        "import importlib, sys\n"
        f"for name in {sorted({*commands.COMMANDS} - {'reproduce'})}:\n"
        "    importlib.import_module(f'audiopg.commands.{name}')\n"
        "print(*sys.modules)"
    ).split()
    assert "audiopg.transfer.finetune" in loaded
    assert "audiopg.book" not in loaded


def test_a_function_fits_a_screen():
    found = {
        f"{path.relative_to(ROOT / 'audiopg').with_suffix('').as_posix()}.{node.name}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno >= SCREEN
    }
    assert found == set()


def test_names_in_backticks_exist():
    named, code = set(), {path.stem for path in MODULES}
    for path in MODULES:
        for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
            if token.type == tokenize.NAME or re.fullmatch(r'"\w+"', token.string):
                code.add(token.string.strip('"'))
            elif token.type in (tokenize.COMMENT, tokenize.STRING):
                named |= {*re.findall(r"(?<!`)`(\w+(?:\.\w+)*)`(?!`)", token.string)}
    for name in named:
        if name.startswith(("audiopg.", "torch.")):
            assert pkgutil.resolve_name(name)
        else:
            assert name.rpartition(".")[2] in code, name


# The book


def toc_files() -> list[str]:
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    return [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]


def test_toc_lists_every_chapter_in_order():
    listed = [file for file in toc_files() if file.startswith("notebooks/")]
    assert listed == [f"notebooks/{chapter.stem}" for chapter in CHAPTERS]
    assert sorted(chapter.stem for chapter in (ROOT / "notebooks").glob("*.ipynb")) == [
        chapter.stem for chapter in CHAPTERS
    ]


def test_the_pages_of_the_library_document_every_module():
    pages = "\n".join(path.read_text() for path in (ROOT / "book" / "api").glob("*.md"))
    documented = re.findall(r"automodule:: audiopg\.(\w+|book\.\w+)$", pages, re.MULTILINE)
    modules = {module.name for module in pkgutil.iter_modules(audiopg.__path__)} - {"book"}
    modules |= {f"book.{module.name}" for module in pkgutil.iter_modules(book.__path__)}
    assert sorted(documented) == [name for name in sorted(modules) if not name.startswith("_")]


def content(notebook: NotebookNode) -> list[tuple[str, str, dict]]:
    """What both files of a pair hold: kind, source and metadata of every cell."""
    return [
        (cell.cell_type, cell.source, {**cell.metadata, "lines_to_next_cell": None})
        for cell in notebook.cells
    ]


@pytest.mark.parametrize("page", [*CHAPTERS, *(ROOT / "book").rglob("*.md")], ids=name_of)
def test_no_line_of_prose_is_left_out_as_a_comment(page):
    cells = jupytext.read(page, fmt="py:percent" if page.suffix == ".py" else "md").cells
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert not re.findall(r"^\s*%.*", prose, re.MULTILINE)


@pytest.mark.parametrize("chapter", [*CHAPTERS, TEMPLATE], ids=name_of)
def test_stored_outputs_belong_to_the_chapter(chapter):
    path = chapter.with_suffix(".ipynb")
    stored = nbformat.read(path, as_version=4)
    assert content(stored) == content(jupytext.read(chapter, fmt="py:percent")), (
        "the pair is out of step; run: make notebooks"
    )
    code = [cell for cell in stored.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    assert "data:audio/" not in str(outputs)
    assert path.stat().st_size < MOST_BYTES
