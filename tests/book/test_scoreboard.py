"""The scoreboard judges every claim by one rule, from records alone."""

import importlib.util
import json
import math
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from audiopg.records import RESULTS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def scoreboard():
    sys.path.insert(0, str(ROOT / "book"))
    try:
        specification = importlib.util.spec_from_file_location(
            "scoreboard", ROOT / "book" / "scoreboard.py"
        )
        module = importlib.util.module_from_spec(specification)
        # A dataclass looks for its module here.
        sys.modules["scoreboard"] = module
        specification.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(str(ROOT / "book"))
        sys.modules.pop("scoreboard", None)


def judged(scoreboard, figures, margin=None):
    claim = scoreboard.Claim("", "", "", scoreboard.nothing, "05_ablations", margin)
    return scoreboard.verdict(claim, [scoreboard.Measured("", *one) for one in figures])


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ([], "cannot be told here"),
        ([(9.0, math.nan)], "cannot be told here"),
        ([(2.0, 1.0)], "holds"),
        ([(1.9, 1.0)], "cannot be told here"),
        ([(-1.9, 1.0)], "cannot be told here"),
        ([(-2.0, 1.0)], "does not hold"),
        # Two figures tell more than one: the average is 1.5, its error 0.71.
        ([(1.5, 1.0), (1.5, 1.0)], "holds"),
        # One against, without an error, is a reason not to be sure.
        ([(5.0, 1.0), (-6.0, math.nan)], "cannot be told here"),
        ([(5.0, 1.0), (6.0, math.nan)], "holds"),
        ([(-5.0, 1.0), (6.0, math.nan)], "does not hold"),
        # The average of 8 and -4 is 2 ± 1.4; each is more than two errors from 0 by itself.
        ([(8.0, 1.0), (-4.0, 1.0)], "mixed"),
        ([(-8.0, 1.0), (2.0, 1.0)], "mixed"),
        ([(8.0, 1.0), (-1.9, 1.0)], "cannot be told here"),
        ([(-8.0, 1.0), (1.9, 1.0)], "does not hold"),
        # With two degrees of freedom, 2.5 errors are within chance.
        ([(-8.0, 1.0), (2.5, 1.0, 2)], "does not hold"),
    ],
)
def test_the_interval_of_the_average_decides(scoreboard, figures, expected):
    assert judged(scoreboard, figures) == expected


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        ((0.9, 1.0), "holds"),
        ((1.1, 1.0), "cannot be told here"),
        ((-0.9, 1.0), "holds"),
        ((5.0, 1.0), "does not hold"),
        ((-5.0, 1.0), "does not hold"),
    ],
)
def test_no_difference_is_a_claim_too(scoreboard, figure, expected):
    assert judged(scoreboard, [figure], margin=3) == expected


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        # Opposite figures have an average of 0 ± 0.7, which says nothing of either.
        ([(2.5, 1.0), (-2.5, 1.0)], "cannot be told here"),
        ([(5.5, 1.0), (-5.5, 1.0)], "does not hold"),
        ([(5.5, 1.0), (0.0, 1.0)], "mixed"),
        ([(5.5, 1.0), (0.0, 2.0)], "does not hold"),
        ([(0.9, 1.0), (-0.9, 1.0)], "holds"),
        ([(0.9, 1.0), (3.1, math.nan)], "cannot be told here"),
        ([(0.9, 1.0), (2.9, math.nan)], "holds"),
    ],
)
def test_that_there_is_no_difference_is_asked_of_each_figure(scoreboard, figures, expected):
    assert judged(scoreboard, figures, margin=3) == expected


@pytest.mark.parametrize(
    ("p", "expected"),
    [(0.04, "mixed"), (0.06, "cannot be told here"), (math.nan, "cannot be told here")],
)
def test_a_paired_test_tells_the_side_of_a_figure_without_an_error(scoreboard, p, expected):
    claim = scoreboard.Claim("", "", "", scoreboard.nothing, "05_ablations")
    without = scoreboard.Measured("", -6.0, math.nan, p=p)
    assert scoreboard.verdict(claim, [scoreboard.Measured("", 5.0, 1.0), without]) == expected
    # It tells the side, not how far the figure would lie from 0 elsewhere.
    assert scoreboard.verdict(claim, [without]) == "cannot be told here"


def test_without_records_nothing_is_told(scoreboard, tmp_path):
    shutil.copy(RESULTS / "paper.json", tmp_path)
    table = scoreboard.scoreboard(tmp_path)
    assert table.count("cannot be told here") == len(scoreboard.CLAIMS)
    assert table.count("no finished run yet") == len(scoreboard.CLAIMS)


@pytest.mark.parametrize(
    ("full", "told", "expected"),
    [
        # Gains of 5, 6 and 7 points: variance 1 · (1/3 + 1/2), so 6 ± 3.93 by Student's t of two
        # degrees of freedom.
        ((0.55, 0.62, 0.67), "+6.0 ± 0.9", "holds"),
        # Gains of 4, 6 and 8: 6 ± 7.86; 4.97 if the folds shared no clips to train on.
        ((0.54, 0.62, 0.68), "+6.0 ± 1.8", "cannot be told here"),
        # The same average from two folds: variance 8 · (1/2 + 1/1), so 6 ± 44.
        ((0.54, 0.64), "+6.0 ± 3.5", "cannot be told here"),
    ],
)
def test_a_gain_is_that_of_the_records(scoreboard, tmp_path, full, told, expected):
    write_curricula(tmp_path, full, full)
    row = row_of(scoreboard, tmp_path)
    assert f"- ESC-10 {told} / {told}\n" in row
    assert f"**{expected}**" in row
    assert "pooling" not in row


def test_a_verdict_that_depends_on_the_pooling_says_so(scoreboard, tmp_path):
    """The first pooling gains 5, 6 and 7 points, the second 4, 6 and 8."""
    write_curricula(tmp_path, (0.55, 0.62, 0.67), (0.54, 0.62, 0.68))
    row = row_of(scoreboard, tmp_path)
    assert "- ESC-10 +6.0 ± 0.9 / +6.0 ± 1.8\n" in row
    assert row.partition("**")[2].split("\n    - ")[:2] == [
        "depends on the pooling**",
        "holds / cannot be told here",
    ]


def write_curricula(folder, averaged, by_band):
    """Records of `dynamic`, which reaches 0.5, 0.56 and 0.6, and of `full`, with both poolings."""
    for name, probes in (("dynamic", [(0.5, 0.56, 0.6)] * 2), ("full", (averaged, by_band))):
        metrics = {}
        for kind, accuracy in zip(("probes", "probes_by_frequency"), probes, strict=True):
            folds = {str(fold): value for fold, value in enumerate(accuracy, 1)}
            metrics[kind] = {"ESC-10": {"accuracy": dict(list(folds.items())[: len(averaged)])}}
        path = folder / f"curriculum-{name}-cpu.json"
        path.write_text(json.dumps({"metrics": metrics}))


def row_of(scoreboard, folder):
    """What the table says of damping and noise."""
    table = scoreboard.scoreboard(folder).replace("\N{NO-BREAK SPACE}", " ")
    return table[table.index("Damping and noise") :].partition("\n* - ")[0]


def test_the_interval_of_an_average_is_shown(scoreboard):
    """Of 1 ± 1 and 2 ± 1 it is 1.5 ± 1.96 · 0.707; figures without an error are left out."""
    claim = scoreboard.Claim("", "", "", scoreboard.nothing, "05_ablations")
    found = [scoreboard.Measured("", value, error) for value, error in ((1, 1), (2, 1))]
    found.append(scoreboard.Measured("", 9.0, math.nan))
    assert scoreboard.figures(claim, {"": found})[-1] == "average [+0.1,\N{NO-BREAK SPACE}+2.9]"
    assert len(scoreboard.figures(claim, {"": found[1:]})) == 2


@pytest.mark.parametrize(
    ("low", "high", "told", "expected"),
    [
        (75.2, 94.8, "-5.0 ± 5.0", "cannot be told here"),
        (83.04, 86.96, "-5.0 ± 1.0", "holds"),
        (70.04, 73.96, "-18.0 ± 1.0", "does not hold"),
    ],
)
def test_angles_are_compared_with_a_right_one(scoreboard, tmp_path, low, high, told, expected):
    """The ends of 95 % are 1.96 errors from the middle; the margin is 10 degrees."""
    angle = (low + high) / 2
    of = {
        n: {"standardised": {"factors": f}}
        for n, f in (
            ("trained", {"angle": [angle], "low": [low], "high": [high]}),
            ("untrained", {"angle": [40.0]}),
        )
    }
    record = {"settings": {"factors": ["a", "b"]}, "metrics": {"encoding": of}}
    (tmp_path / "bench-angles.json").write_text(json.dumps(record))
    found = list(scoreboard.apart(tmp_path))
    assert [str(one) for one in found] == [f"a and b, {angle:.0f}° (untrained 40°): {told}"]
    (claim,) = (claim for claim in scoreboard.CLAIMS if claim.measure is scoreboard.apart)
    assert scoreboard.verdict(claim, found) == expected


def test_every_chapter_of_a_claim_is_there(scoreboard):
    chapters = {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert {claim.chapter for claim in scoreboard.CLAIMS} <= chapters
    linked = re.findall(r"\(\.\./notebooks/(\w+)\.ipynb\)", scoreboard.scoreboard())
    assert len(linked) == len(scoreboard.CLAIMS)


def test_a_gain_of_the_weights_is_paired_over_the_folds_of_their_record(scoreboard, tmp_path):
    """Folds 1 and 2 gain 4 and 8 points; a set with one test part has the p-value of the record,
    which is of mean pooling. A control that is not pooled is compared with both poolings."""
    folds = {"1": 0.54, "2": 0.68}, {"1": 0.5, "2": 0.6}
    part = {"3": 0.5}, {"3": 0.25}
    for name, (after, before) in (("esc10", folds), ("speech_commands", part)):
        metrics = {
            "log-mel": {"accuracy": before, "p_holm": 0.0312},
            "this encoder": {"accuracy": after, "p_holm": None},
            "this encoder, frequency pooling": {"accuracy": before, "p_holm": 0.01},
        }
        record = {"metrics": metrics, "data": f"{name}, all clips"}
        native = "-native" * (name == "esc10")
        (tmp_path / f"probe-{name}-tiny{native}.json").write_text(json.dumps(record))
    measure = scoreboard.of_weights("probe-{}-tiny", "log-mel")
    assert [(one.pooling, str(one)) for one in measure(tmp_path)] == [
        ("mean", "esc10 +6.0 ± 3.5"),
        ("frequency", "esc10 +0.0 ± 0.0"),
        ("mean", "speech_commands +25.0, p = 0.03"),
        ("frequency", "speech_commands +0.0"),
    ]
    # A control that is pooled is compared with the same pooling; an older record has no p-value.
    metrics["log-mel, frequency pooling"] = {"accuracy": after}
    del metrics["log-mel"]["p_holm"]
    (tmp_path / "probe-speech_commands-tiny.json").write_text(json.dumps(record))
    assert [str(one) for one in measure(tmp_path)][2:] == [
        "speech_commands +25.0",
        "speech_commands -25.0",
    ]


@pytest.mark.parametrize("clean", [False, True], ids=["two seeds", "folds 3 to 5"])
def test_what_fewer_seeds_and_folds_say_is_that_of_the_records(scoreboard, tmp_path, clean):
    """The preface's average with mean pooling and two seeds, and ESC-10's folds 3 to 5."""
    for path in RESULTS.glob("*.json"):
        if clean or not path.stem.endswith("-seed2"):
            shutil.copy(path, tmp_path)
    page = " ".join((ROOT / "book" / "preface.md").read_text().split())
    said = page.partition("**A third seed.**")[2].partition("There the same gains")[2 * clean]
    figures = re.findall(r"([\d.]+) (?:points )?\[([-+\d.]+), ([-+\d.]+)\]", said)[:2]
    alike = [f"{name}-cpu" for name in scoreboard.SEVERAL_SEEDS]
    for figure, (after, before) in zip(
        figures, [("harmonic", "sine"), ("full", "dynamic")], strict=True
    ):
        names = (f"curriculum-{name}-cpu" for name in (after, before))
        folds = {"esc10": ["3", "4", "5"]} if clean else None
        found = scoreboard.gains(*names, alike, tmp_path, folds)
        sets = ("ESC-10",) if clean else ("ESC-10", "UrbanSound8K")
        mean = scoreboard.average([scoreboard.Measured(name, *found[name]) for name in sets])
        assert [float(end) for end in figure] == pytest.approx(
            (mean.value, *mean.interval), abs=0.0501
        )


def test_the_gain_in_the_readme_is_that_of_the_table(scoreboard):
    (claim,) = (claim for claim in scoreboard.CLAIMS if claim.says.startswith("Damping"))
    found = []
    for pooled in scoreboard.by_pooling(claim.measure(RESULTS)).values():
        mean = scoreboard.average(scoreboard.with_error(pooled))
        found.append("{:.1f} points [{:.1f}, {:.1f}]".format(mean.value, *mean.interval))
    told = "Damping and noise gain {}, averaged over ESC-10 and UrbanSound8K; with frequency pooling {}."
    assert told.format(*found) in (ROOT / "README.md").read_text()


def test_what_the_preface_says_would_follow_from_seeds_alone_is_that_of_the_records(scoreboard):
    changed = {}
    for claim in scoreboard.CLAIMS:
        for pooling, found in scoreboard.by_pooling(claim.measure(RESULTS)).items():
            # Five rows have three seeds on Speech Commands, so ten degrees of freedom.
            sure = [replace(one, freedom=10) if math.isnan(one.freedom) else one for one in found]
            was, now = scoreboard.verdict(claim, found), scoreboard.verdict(claim, sure)
            if now != was:
                changed[claim.says.partition(" ")[0], pooling] = was, now
            if claim.says.startswith("Events"):
                mean = scoreboard.average(sure)
    assert changed == {
        ("Events", "frequency"): ("cannot be told here", "holds"),
        ("Continued", "mean"): ("cannot be told here", "does not hold"),
        ("Continued", "frequency"): ("cannot be told here", "does not hold"),
    }
    told = "{:.1f} points on average [{:.1f}, {:.1f}]".format(mean.value, *mean.interval)
    assert told in " ".join((ROOT / "book" / "preface.md").read_text().split())
