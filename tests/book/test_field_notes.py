"""The page of field notes and the scripts behind it tell of the same findings."""

import os
import re
from pathlib import Path

import numpy as np
import pytest

from audiopg.records import read_record

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "book/field_notes.md").read_text()
SCRIPTS = sorted((ROOT / "findings").glob("*.sh"))


def test_every_script_has_its_note_and_every_note_its_script():
    assert sorted(re.findall(r"\(`(\w+)`,", PAGE)) == [script.stem for script in SCRIPTS]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_states_what_its_note_does(script):
    text = script.read_text()
    head = " ".join(text.partition("set -eu\n")[0].replace("#", " ").split())
    assert os.access(script, os.X_OK)
    for part in ("ne would guess", "Version: ", "Seen"):
        assert part in head, part
    # The note names the first version that the head names.
    version = re.search(r"Version: \S+ ([\d.]*\d)", head)[1]
    note = re.search(rf"\(`{script.stem}`,([^)]*)\)", PAGE)[1]
    assert version in note
    assert f"=={version}" in text or script.stem == "an_old_validator"
    for word in ("mktemp -d", "as described", "no longer as described"):
        assert word in text


def test_what_a_note_points_to_is_there():
    paths = re.findall(r"`((?:\w+/)+\w+\.(?:py|md))`", PAGE)
    assert len(paths) > 10
    for path in paths:
        assert (ROOT / path).is_file() or (ROOT / "audiopg" / path).is_file(), path


def test_the_losses_of_repeats_are_those_of_their_record():
    note = " ".join(re.search(r"falls by copying\.\*\* (.+?)\n\n", PAGE, re.DOTALL)[1].split())
    words = read_record("bench-repeats", ROOT / "results")["metrics"]["speech_commands"]
    before, after = words["synthesis alone"], words["synthesis, then the target"]
    assert f"a loss of {after['repeated']:.2f} instead of {before['repeated']:.2f}" in note
    assert f"risen from {before['joined']:.2f} to {after['joined']:.2f}, and" in note
    probed = [
        read_record(name, ROOT / "results")["metrics"]["probes"]["Speech Commands v0.02, 10 words"]
        for name in ("adapt-to-speech_commands-cpu", "before-adapting-cpu")
    ]
    assert f"lost {100 * (probed[1]['mean'] - probed[0]['mean']):.0f} points" in note


def test_figures_of_our_own_are_those_of_their_record():
    note = " ".join(re.search(r"first rate\.\*\* (.+?)\n\n", PAGE, re.DOTALL)[1].split())
    record = read_record("resampled", ROOT / "results")["metrics"]
    ours, words = record["synthesized"], record["Speech Commands"]
    top = "decibels at 7.8 to 8 kHz"
    assert f"({ours[top]:.0f} dB on our synthesized clips, {words[top]:.0f} dB on Speech" in note
    assert f"moves by {ours['moved']:.2f} of the typical distance" in note
    assert f"on Speech Commands by {words['moved']:.2f} of it" in note
    for name in ("tiny", "log-mel statistics"):
        both = [100 * np.mean(each[name]) for each in (ours, words)]
        assert "{:.1f} % and {:.1f} %".format(*both) in note
