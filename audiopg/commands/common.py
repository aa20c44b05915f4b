"""What several commands share: flags, the clips of a data set, what they print, and facts of a model."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar, get_args

from audiopg._types import AnyPath
from audiopg.datasets import LabelledClips, find_dataset, read_dataset
from audiopg.datasets.benchmarks import BENCHMARKS
from audiopg.embedding import POOLINGS
from audiopg.environment import atomic_path, data_folder, writing
from audiopg.errors import InputError
from audiopg.frontend import LogMel
from audiopg.mae import Encoder
from audiopg.pretrained import shipped_weights, weights_file
from audiopg.pretraining import PretrainSettings, read_settings
from audiopg.records import path_from_here
from audiopg.runs import checkpoints, read_metrics, read_provenance, step_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

    from audiopg.transfer.finetune import FinetuneSettings

RECORD_HELP = "also write results/NAME.json of the clone; folder/NAME for another folder"
# The names of rows that are no path: the model, and its controls.
_ROWS = ("this encoder", "random encoder", "raw log-mel", "majority class", "log-mel mean")
_ROWS += ("log-mel mean and deviation",)
_Loaded, _Said = TypeVar("_Loaded"), TypeVar("_Said")
_Settings = TypeVar("_Settings", PretrainSettings, "FinetuneSettings")


def add_out(
    command: argparse.ArgumentParser, what: str, required: bool = True, default: str | None = None
) -> None:
    """The flag that names what is written."""
    command.add_argument("--out", type=Path, required=required, default=default, help=what)


def add_record(command: argparse.ArgumentParser, note: str = RECORD_HELP) -> None:
    command.add_argument("--record", metavar="NAME", help=note)


def add_device(command: argparse.ArgumentParser) -> None:
    command.add_argument("--device", help="cpu, cuda, cuda:1 ... (default: a GPU if there is one)")


def add_number(command: argparse.ArgumentParser, flag: str, default: int, what: str) -> None:
    """A flag for a whole number, whose help ends with its default."""
    command.add_argument(flag, type=int, default=default, help=f"{what} (default: {default})")


def add_run(command: argparse.ArgumentParser) -> None:
    """The flags of a command that trains: its folder, whether it resumes, its device and record."""
    add_out(command, "folder for the run")
    command.add_argument(
        "--resume",
        action="store_true",
        help="go on with the run in --out; settings not given are those it has",
    )
    add_device(command)
    add_record(command)


def add_settings(
    command: argparse.ArgumentParser, kind_of: type, recipes: dict, about: str
) -> None:
    """The flag for a recipe, and one for each setting, whose help has its value in each recipe."""
    command.add_argument(
        "--recipe",
        choices=recipes,
        help=f"settings to begin with, which those below change (default: paper); {about}",
    )
    # No defaults here: what is not given is the recipe's, or that of the run to resume.
    for setting in fields(kind_of):
        values = {name: getattr(recipe, setting.name) for name, recipe in recipes.items()}
        default = values.pop("paper")
        notes = [f"default: {default}"] if default is not None else []
        notes += [f"{name}: {value}" for name, value in values.items() if value != default]
        kind = setting.type if isinstance(setting.type, type) else get_args(setting.type)[0]
        command.add_argument(
            "--" + setting.name.replace("_", "-"),
            help=setting.metadata["help"] + (f" ({'; '.join(notes)})" if notes else ""),
            **({"action": argparse.BooleanOptionalAction} if kind is bool else {"type": kind}),
        )


def changed_by(settings: _Settings, options: argparse.Namespace) -> _Settings:
    """Settings with the values that the command line gives."""
    given = {field.name: getattr(options, field.name) for field in fields(settings)}
    return replace(settings, **{name: value for name, value in given.items() if value is not None})


def add_data(command: argparse.ArgumentParser, what: str) -> None:
    command.add_argument("--data", type=Path, help=f"{what} (default: the variable AUDIOPG_DATA)")


def add_recordings(command: argparse.ArgumentParser) -> None:
    add_data(command, "folder that holds the data set's own")
    add_skip_bad(command)


def add_skip_bad(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--skip-bad", action="store_true", help="go on without files that cannot be used"
    )


def recordings_folder(named: Path | None) -> Path:
    """The folder that the command line names, or else AUDIOPG_DATA.

    Raises:
        InputError: when neither names one.
    """
    folder = named or data_folder()
    if folder is None:
        raise InputError("no recordings are named; give --data, or set AUDIOPG_DATA.")
    return folder


def add_own(command: argparse.ArgumentParser) -> None:
    """The flags for recordings of one's own, which a path names."""
    command.add_argument(
        "--columns",
        metavar="ROLE=NAME,...",
        default={},
        type=_column_map,
        help="of one's own recordings: which column is the file, label, labels, start, end, duration, channel, "
        "group or fold, by its name or, without a header, its place, such as label=species,group=site; start= "
        "says that no column is the start",
    )
    what = "folds to deal where one's own recordings have none"
    command.add_argument("--n-folds", type=int, help=f"{what} (default: 5)")
    command.add_argument("--fold-seed", type=int, help="seed of the dealing (default: 0)")


def _column_map(text: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in text.split(",")]
    if not all(role and sign for role, sign, _ in pairs):
        raise argparse.ArgumentTypeError(f"it is {text!r}; give ROLE=NAME, divided by commas")
    if len(found := {role.strip(): name.strip() for role, _, name in pairs}) < len(pairs):
        raise argparse.ArgumentTypeError(f"it is {text!r}; give each role once")
    return found


def find_clips(
    options: argparse.Namespace, name: str, skip_bad: bool, needed: bool = True
) -> LabelledClips | None:
    """A benchmark by its name, or one's own recordings by their path.

    Returns:
        The clips; None for a benchmark that is not there, where it is not needed.

    Raises:
        InputError: as `find_dataset` and `read_dataset`; for a benchmark that is not there, or flags
            that are not for benchmarks.
    """
    own = {"columns": options.columns, "n_folds": options.n_folds, "seed": options.fold_seed}
    own = {key: value for key, value in own.items() if value not in (None, {})}
    if name not in BENCHMARKS:
        if not Path(name).exists():
            raise InputError(
                f"no data set is called {name!r}, and no file or folder; choose from "
                f"{', '.join(BENCHMARKS)}, or name what you have."
            )
        return read_dataset(name, skip_bad=skip_bad, **own)
    if own:
        raise InputError(
            f"{name} has official tables and folds; --columns, --n-folds and --fold-seed are for "
            "recordings of one's own."
        )
    folder = recordings_folder(options.data)
    clips = find_dataset(name, folder, skip_bad)
    if clips is None and needed:
        raise InputError(
            f"{folder} does not hold {name} ({' or '.join(BENCHMARKS[name].folders)}); "
            f"audiopg download {name} --out {folder} brings it."
        )
    return clips


def say_skipped(clips: LabelledClips) -> None:
    """Print how many files were left out because they cannot be used, and the first of them."""
    for path, why in list(clips.skipped.items())[:1]:
        print(
            f"{len(clips.skipped)} files cannot be used, and are left out; the first: {path} {why}"
        )


def print_significance(table: "DataFrame") -> None:
    """Print what `audiopg.transfer.significance_table` gives, or part of it, and what its tests are."""
    table = table.copy()
    for column in ("p", "p (Holm)"):
        table[column] = [f"{value:.3g}" for value in table[column]]
    print(table.replace("nan", "").to_string(na_rep=""))
    if len(table) == 1:
        return
    print(
        "95 %: of the mean over folds, by the bootstrap over sources, each with all its clips; p: of a "
        "paired test against this encoder, source by source; p (Holm): corrected for the number of "
        "tests; a source is a recording, or what the data set or --columns group=... names"
    )


def add_model(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "model",
        help=f"a pre-training run, a checkpoint, a model.safetensors, or weights that come with audiopg: "
        f"{', '.join(shipped_weights())}",
    )


def add_beside(command: argparse.ArgumentParser, what: str, of: str = "MODEL") -> None:
    command.add_argument("--beside", metavar=of, nargs="+", default=[], type=row_named, help=what)


def distinct(
    paths: Sequence[str],
    this: AnyPath | None = None,
    place: Callable[[AnyPath], Path] = weights_file,
) -> list[str]:
    """The paths without those that lead where an earlier one does; `this` among them is refused.

    Args:
        place: where a path leads; a run leads to the weights of its newest checkpoint.
    """
    found: dict[Path, str] = {}
    own = None if this is None else place(this).resolve()
    for path in paths:
        where = place(path).resolve()
        if where == own:
            raise InputError(f"--beside names {path}, which is {this} itself; name another.")
        found.setdefault(where, path)
    return [*found.values()]


def row_named(text: str) -> str:
    """A path that names a row of a table, and may not have the name of a row that has no path."""
    if text.removesuffix(", frequency pooling") in _ROWS:
        raise argparse.ArgumentTypeError(
            f"{text!r} is what a row of the tables is called; give the whole path of yours"
        )
    return text


def add_embedding(command: argparse.ArgumentParser, poolings: Sequence[str] = POOLINGS) -> None:
    command.add_argument(
        "--pooling",
        choices=poolings,
        default="mean",
        help="mean: of all tokens; frequency: the bands of a time step one after another, averaged "
        "over time"
        + "; both: of this encoder and the untrained one a row of each" * ("both" in poolings)
        + " (default: mean)",
    )
    command.add_argument(
        "--native",
        action="store_true",
        help="clips at their own length, instead of cut or looped to 10.24 s",
    )


def load_plots(asker: str) -> ModuleType:
    """`audiopg.book.plots`, which only some commands need.

    Raises:
        InputError: naming the asker, where matplotlib is not installed.
    """
    try:
        from audiopg.book import plots
    except ImportError as error:
        raise InputError(
            f"{asker} needs matplotlib, which is not installed; install it (pip install matplotlib)."
        ) from error
    return plots


def save_figure(plots: ModuleType, figure: "Figure", path: Path) -> None:
    """Write a figure on white as a PNG file, and close it."""
    with writing(path), atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", facecolor="white", transparent=False)
    plots.plt.close(figure)


def source_of(settings: PretrainSettings, where: dict) -> str:
    """What a pre-training run with some provenance learns from."""
    if not settings.audio:
        return f"the {settings.prior!r} prior"
    try:
        return "{files} recordings, {hours} hours".format(**where["recordings"])
    except (KeyError, TypeError) as error:
        raise InputError(
            f"the provenance.json of a run on {settings.audio} does not say of how many recordings; put "
            "back the file of the run."
        ) from error


def heard_by(model: str) -> dict | None:
    """What the encoder in a pre-training run's folder has heard; None for any other model.

    Steps after the newest checkpoint, whose weights are loaded, do not count. A run that began with
    other weights says "after" which; what those had heard comes on top.

    Raises:
        InputError: for a run whose files cannot be read or do not fit together.
    """
    folder = Path(model)
    if not (folder / "settings.json").is_file():
        return None
    settings, where = read_settings(folder), read_provenance(folder)
    steps = max(map(step_of, checkpoints(folder)), default=0)
    if not steps:
        raise InputError(f"{folder} has no checkpoint yet; let the run go on.")
    lines = read_metrics(folder / "metrics.jsonl")[:steps]
    if len(lines) < steps:
        raise InputError(
            f"{folder} has a checkpoint of step {steps} and metrics of {len(lines)}; name a run that "
            "has written both."
        )
    return {
        "clips": steps * settings.batch_size,
        "of": source_of(settings, where),
        "seconds": lines[-1].get("seconds"),
        "device": where.get("device"),
        **({"after": path_from_here(settings.start)} if settings.start else {}),
    }


def load_with(
    load: Callable[[str], _Loaded], ask: Callable[[str], _Said], model: str
) -> tuple[_Loaded, _Said]:
    """What is loaded of a model, and what is said of it, at one time: a run may go on meanwhile."""
    said = ask(model)
    while True:
        loaded, before, said = load(model), said, ask(model)
        if said == before:
            return loaded, said


def untrained_like(encoder: Encoder) -> Encoder:
    """A random encoder of the same size: what the architecture alone is worth."""
    untrained = Encoder.preset("base", seed=1, **asdict(encoder.architecture))
    untrained.log_mel = LogMel(**encoder.log_mel.settings)
    return untrained
