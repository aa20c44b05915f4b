"""Speech Commands v0.02, single words by many speakers (Warden 2018)."""

from collections.abc import Iterator
from pathlib import Path

from audiopg._types import AnyPath
from audiopg.datasets import tables
from audiopg.datasets.audio import AUDIO_SUFFIXES, LabelledClips
from audiopg.datasets.folder import is_hidden
from audiopg.datasets.manifest_rows import readable
from audiopg.errors import InputError

# fmt: off
WORDS = (
    "backward", "bed", "bird", "cat", "dog", "down", "eight", "five", "follow", "forward", "four",
    "go", "happy", "house", "learn", "left", "marvin", "nine", "no", "off", "on", "one", "right",
    "seven", "sheila", "six", "stop", "three", "tree", "two", "up", "visual", "wow", "yes", "zero",
)
# fmt: on
_LISTS = {"validation_list.txt": tables.VALIDATION, "testing_list.txt": tables.TESTING}


def speech_commands(folder: AnyPath, skip_bad: bool = False) -> LabelledClips:
    """Speech Commands, or those of its 35 words that are there, from the official layout.

    The two lists are drawn by speaker, so that nobody who is tested on was trained on.

    Args:
        folder: holds ``validation_list.txt``, ``testing_list.txt`` and a folder of recordings for
            each word. A word without a folder is left out, as is ``_background_noise_``. Recordings
            are matched to the lists by name without suffix, so that they may be re-encoded.
        skip_bad: leave out recordings that are listed for a word and missing, and name them in
            ``skipped``.

    Returns:
        The clips, word by word in the order of their names; fold 1 is training (whatever neither
        list names), 2 validation, 3 testing. Labels count from 0 over the words present, in
        alphabetical order. The name says how many words there are, unless they are all 35.

    Raises:
        InputError: when the folder, a list or a listed recording is missing, when a line of a list
            or the name of a folder is not understood, or when a fold is left empty.
    """
    folder = tables.require_folder(folder, "testing_list.txt and a folder for each word")
    fold_of: dict[str, int] = {}
    for name, fold in _LISTS.items():
        for where, clip in _read_list(folder / name):
            if fold_of.setdefault(clip, fold) != fold:
                raise InputError(f"{where}: {clip!r} is in the other list too; remove one of them.")
    names = sorted(path.name for path in folder.iterdir() if path.is_dir())
    words = [name for name in names if name[0] != "_" and not is_hidden(name)]
    if not words:
        raise InputError(f"{folder} holds no folder of recordings; download the recordings again.")
    unknown = [word for word in words if word not in WORDS]
    if unknown:
        raise InputError(
            f"{folder / unknown[0]} is none of the 35 words of Speech Commands; move it elsewhere."
        )
    listed = []
    for target, word in enumerate(words):
        paths = {
            f"{word}/{path.stem}": path
            for path in sorted((folder / word).iterdir())
            if path.suffix.lower() in AUDIO_SUFFIXES and not is_hidden(path.name)
        }
        missing = {clip: folder / clip for clip in fold_of if clip.startswith(f"{word}/")}
        for clip, path in (missing | paths).items():
            speaker = path.stem.partition("_nohash_")[0]
            listed.append(
                tables.ListedClip(path, fold_of.get(clip, tables.TRAINING), target, word, speaker)
            )
    return tables.assemble(
        sorted(listed),
        folder,
        folder,
        skip_bad,
        name="Speech Commands v0.02" + (f", {len(words)} words" if len(words) < len(WORDS) else ""),
        licence="CC BY 4.0",
        fold_names=tables.SPLIT,
        test_folds=[tables.TESTING],
    )


def _read_list(path: Path) -> Iterator[tuple[str, str]]:
    """The clips that a list names, ``word/recording`` without suffix, each with where it stands."""
    with readable(path, "text in UTF-8"):
        lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        where = f"{path}, line {number}"
        word, _, name = line.strip().partition("/")
        if word not in WORDS or not name or Path(name).name != name:
            raise InputError(f"{where} is {line!r}; write a word/recording.wav.")
        yield where, f"{word}/{Path(name).stem}"
