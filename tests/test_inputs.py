"""What a notebook hands over is taken or refused by one rule, whichever function it is given to."""

import io
import json
import os
from array import array
from collections import deque
from dataclasses import asdict, replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import pandas
import pytest
import soundfile
import torch

from audiopg import InputError, LogMel, SynthPrior, analysis, render
from audiopg.__main__ import main
from audiopg.analysis import embed_clips, mutual_information, short_clips
from audiopg.datasets import (
    LabelledClips,
    audio_files,
    esc50,
    find_dataset,
    find_recordings,
    load_audio,
    load_clip,
    load_clips,
    read_dataset,
    read_window,
)
from audiopg.frontend import resample
from audiopg.inputs import as_float64, as_waves, read_json, shown, whole_number
from audiopg.mae import Encoder, MaskedAutoencoder
from audiopg.pretraining import read_settings
from audiopg.records import read_record
from audiopg.settings import check_settings
from audiopg.synth import read_scene, write_scene
from audiopg.transfer import (
    FINETUNE_RECIPES,
    AudioPGEmbedding,
    clip_features,
    compare_encoders,
    embed_files,
    finetune,
    linear_probe,
    nearest_clips,
)
from audiopg.transfer.finetune import FinetuneSettings, read_run

CLIPS = LabelledClips(
    "two classes",
    [],
    np.arange(4) % 2,
    np.arange(4) // 2 + 1,
    ["a", "b"],
    "MIT",
    {1: "fold 1", 2: "fold 2"},
    [1, 2],
)
WAVES = 0.1 * np.random.default_rng(0).standard_normal((4, 1000)).astype(np.float32)
SMALL = replace(
    FINETUNE_RECIPES["paper"], epochs=1, batch_size=4, native_length=True, preset="micro"
)


@pytest.fixture(scope="module")
def encoder():
    return Encoder.preset("micro")


@pytest.fixture(params=["embed", "embed over time", "log-mel", "fine-tune", "probe", "transformer"])
def take(request, encoder):
    """A function that takes waves and gives numbers that depend on them."""
    return {
        "embed": lambda waves: encoder.embed(waves, native=True),
        "embed over time": lambda waves: encoder.embed_over_time(waves)[0],
        "log-mel": lambda waves: LogMel()(waves),
        "fine-tune": lambda waves: torch.from_numpy(
            finetune(SMALL, CLIPS, waves, folds=[1], progress=False).scores
        ),
        "probe": lambda waves: clip_features(
            waves, {"micro": encoder}, native=True, progress=False
        )["micro"],
        "transformer": lambda waves: torch.from_numpy(
            AudioPGEmbedding(encoder, native=True).fit().transform(waves)
        ),
    }[request.param]


@pytest.mark.parametrize(
    "waves",
    [
        torch.from_numpy(WAVES),
        torch.from_numpy(WAVES).double(),
        torch.nn.Parameter(torch.from_numpy(WAVES)).detach(),
        torch.from_numpy(np.repeat(WAVES, 2, axis=1))[:, ::2],
        WAVES.astype(np.float64),
        WAVES.astype(">f4"),
        np.asfortranarray(WAVES),
        WAVES[::-1, ::-1].copy()[::-1, ::-1],
        np.ma.masked_array(WAVES),
        pandas.DataFrame(WAVES, index=[7, 3, 9, 1]),
        pandas.DataFrame(WAVES, index=[7, 3, 9, 1]).astype("Float32"),
    ],
    ids=lambda waves: type(waves).__name__,
)
def test_the_same_samples_are_the_same_wave_in_any_array(take, waves):
    assert torch.equal(take(waves).nan_to_num(), take(WAVES).nan_to_num())


@pytest.mark.parametrize(
    ("waves", "message"),
    [
        (WAVES.T, r"shape \(1000, 4\): 1,000 clips, none as long .* of shape \(4, 1000\)"),
        (torch.zeros(1000, 1), r"give the transpose, of shape \(1, 1000\)"),
        (pandas.DataFrame(WAVES[:2].T, columns=["left", "right"]), r"of shape \(2, 1000\)"),
        ((32767 * WAVES).astype(np.int16), "type int16; .* 16 bits divided by 32768"),
        (torch.zeros(4, 1000, dtype=torch.int32), "type torch.int32; give floats"),
        (WAVES > 0, "type bool; give floats"),
        (WAVES + 0j, "type complex64; give floats"),
        (WAVES.astype(object), "type object; give floats"),
        (32767 * WAVES, r"clip 0 reaches \d+,\d+, and full scale is 1; divide .* 32768 for 16"),
        (np.where(np.arange(1000) == 3, np.nan, WAVES), "clip 0 holds NaN or infinite"),
        (np.where(np.arange(4)[:, None] == 2, np.inf, WAVES), "clip 2 holds NaN or infinite"),
        (WAVES.astype(np.float64) * 1e300, "NaN or infinite"),
        (WAVES[:, :0], "clip 0 has no samples"),
        (WAVES[:, None], r"has shape \(4, 1, 1000\); give \(clips, samples\)"),
        (np.float32(0.5), r"has shape \(\); give \(clips, samples\)"),
        (0.5, r"has shape \(\); give \(clips, samples\)"),
        (np.ma.masked_array(WAVES, WAVES > 0.1), "entries of the waveform are masked"),
        (pandas.DataFrame(WAVES).astype("Float32").where(WAVES < 0.3), "clip 0 holds NaN"),
        (pandas.DataFrame(WAVES > 0).astype("Int16"), "is of type .*; give floats"),
        (None, "None is no waveform"),
        ({"a": WAVES}, "is no waveform"),
        (b"RIFF", "is no waveform; read files with"),
    ],
)
def test_what_is_no_wave_is_refused_by_all_alike(take, waves, message):
    with pytest.raises(InputError, match=message):
        take(waves)


@pytest.mark.parametrize(
    "waves",
    [
        [WAVES[0], WAVES[1, :900]],
        [torch.from_numpy(WAVES[0]), WAVES[1, :900].tolist()],
        (pandas.Series(WAVES[0], index=range(1000, 0, -1)), WAVES[1, :900]),
        np.array([WAVES[0], WAVES[1, :900]], dtype=object),
        (wave for wave in (WAVES[0], WAVES[1, :900])),
    ],
    ids=["list", "mixed", "columns", "objects", "generator"],
)
def test_waves_of_several_lengths_are_a_sequence(waves):
    found = as_waves(waves)
    assert [wave.tolist() for wave in found] == [WAVES[0].tolist(), WAVES[1, :900].tolist()]


@pytest.mark.parametrize(
    ("waves", "message"),
    [
        ([WAVES[0], WAVES[1:2]], r"clip 1 has shape \(1, 1000\); give \(samples,\)"),
        ([WAVES[0], (32767 * WAVES[1]).astype(np.int16)], "clip 1 is of type int16"),
        ([WAVES[0], 32767 * WAVES[1]], "clip 1 reaches"),
        ([WAVES[0], WAVES[1, :0]], "clip 1 has no samples"),
        ([WAVES[0], None], "None is no waveform"),
        ([WAVES[0], "a.wav"], "'a.wav' is no waveform; read files with"),
        ([[0.1, [0.2]], [0.1, 0.2]], "clip 0 is no list of samples"),
        (list(WAVES.T), r"shape \(1000, 4\)"),
    ],
)
def test_a_wave_of_a_sequence_is_refused_by_its_number(encoder, waves, message):
    with pytest.raises(InputError, match=message):
        encoder.embed(waves)


def test_what_can_be_meant_is_taken(encoder):
    assert encoder.embed(pandas.Series(WAVES[0], index=range(1000, 0, -1))).shape == (64,)
    # Few clips, each shorter than a frame, are looped; louder than full scale is not another scale.
    assert encoder.embed(WAVES[:, :4]).shape == (4, 64)
    assert encoder.embed(100 * WAVES[:1] / abs(WAVES).max()).shape == (1, 64)
    for dtype in (torch.float16, torch.bfloat16):
        assert encoder.embed(torch.from_numpy(WAVES).to(dtype)).dtype == torch.float32
    learned = torch.from_numpy(WAVES).requires_grad_()
    assert not encoder.embed(learned, 8_000).requires_grad
    finetune(SMALL, CLIPS, learned, folds=[1], progress=False)
    with pytest.raises(InputError, match="requires a gradient"):
        LogMel()(learned)
    assert LogMel()(WAVES[:0]).shape == (0, 16, 128)
    assert encoder.embed(WAVES[:0], 8_000).shape == (0, 64)
    assert encoder.embed_over_time(WAVES[:0])[0].shape == (0, 1, 64)


@pytest.mark.parametrize("kind", [list, tuple, deque, partial(array, "f"), iter])
def test_numbers_one_after_another_are_one_wave(encoder, kind):
    assert torch.equal(encoder.embed(kind(WAVES[0].tolist())), encoder.embed(WAVES[0]))
    with pytest.raises(InputError, match="type int64; give floats"):
        encoder.embed(list(range(1000)))


def test_too_few_samples_at_a_rate_are_refused(encoder):
    assert encoder.embed(WAVES[:, :400], 12_800_000).shape == (4, 64)
    with pytest.raises(InputError, match="400 samples at 12800001 Hz are less than one at 16000"):
        encoder.embed(WAVES[:, :400], 12_800_001)


def test_no_wave_has_no_steps_of_time(encoder):
    assert encoder.embed([]).shape == (0, 64)
    with pytest.raises(InputError, match="no wave was given; embed at least one over time"):
        encoder.embed_over_time([])


def test_waves_that_cannot_be_used_leave_no_folder_of_a_run(tmp_path):
    with pytest.raises(InputError, match="no samples"):
        finetune(SMALL, CLIPS, WAVES[:, :0], out=tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


NO_COUNTS = (0, -1, 2.5, None, "16", b"16", True, np.True_, float("nan"), float("inf"), 2**31)
NO_COUNTS += (10**400, 10**5000, 1j, [16], np.array([16, 16]))


@pytest.mark.parametrize("number", NO_COUNTS, ids=lambda number: shown(number))
def test_rates_and_batches_are_whole_numbers(encoder, number, tmp_path):
    refuses_rate(number, encoder, tmp_path)
    for call in (
        lambda: encoder.embed(WAVES, batch_size=number),
        lambda: encoder.embed_over_time(WAVES, batch_size=number),
        lambda: embed_files([tmp_path / "none.wav"], encoder, batch_size=number),
        lambda: AudioPGEmbedding(encoder, batch_size=number).fit().transform(WAVES),
        lambda: embed_clips(encoder, short_clips(2), batch_size=number),
    ):
        with pytest.raises(InputError, match=r"batch_size is .*; give a whole number, 1 or more"):
            call()


@pytest.mark.parametrize("number", [16, 44.0, np.int64(48), 999])
def test_a_rate_in_kilohertz_is_refused(encoder, number, tmp_path):
    refuses_rate(number, encoder, tmp_path)


def refuses_rate(number, encoder, tmp_path):
    for call in (
        lambda: encoder.embed(WAVES, number),
        lambda: encoder.embed_over_time(WAVES, sample_rate=number),
        lambda: resample(torch.zeros(1, 100), 8_000, number),
        lambda: AudioPGEmbedding(encoder, sample_rate=number).fit().transform(WAVES),
        lambda: load_audio(tmp_path / "none.wav", number),
    ):
        with pytest.raises(InputError, match=r"^the sample rate is .*; give whole hertz, 1000 or"):
            call()


@pytest.mark.parametrize(
    "number", [16, 16.0, np.int32(16), np.float32(16), np.array(16), torch.tensor(16), Fraction(16)]
)
def test_a_count_of_any_kind_is_an_int(number):
    found = whole_number(number, "number")
    assert found == 16
    assert type(found) is int


def test_numbers_too_long_to_write_are_shown_all_the_same():
    assert shown(10**5000) == "a number of thousands of digits"
    assert shown("a" * 100) == "'" + 56 * "a" + "..."
    assert shown(np.eye(2)) == "array([[1., 0.], [0., 1.]])"
    with pytest.raises(InputError, match=r"number is tensor\(.*meta.*\); give a whole number"):
        whole_number(torch.zeros((), device="meta"), "number")
    for settings in ({"epochs": 10**5000}, {"learning_rate": 10**5000}):
        with pytest.raises(InputError, match="is a number of thousands of digits"):
            check_settings(FinetuneSettings(**settings))
    with pytest.raises(InputError, match="thousands of digits"):
        SynthPrior(f0=(10**5000, 10**5000))
    with pytest.raises(InputError, match="thousands of digits"):
        SynthPrior().sample([0], 10**5000)


# Tables, as scikit-learn takes them

FEATURES = np.random.default_rng(1).standard_normal((40, 4))
TARGET = FEATURES[:, 0] + 0.1 * FEATURES[:, 1]
ROWS = np.arange(40)[::-1] * 3 + 7
TABLE = pandas.DataFrame(FEATURES, columns=list("abcd"), index=ROWS)
COLUMN = pandas.Series(TARGET, index=ROWS)

FUNCTIONS = {
    "mutual_information": mutual_information,
    "permutation_null": lambda x, y: analysis.permutation_null(x, y, permutations=2),
    "information_error": lambda x, y: analysis.information_error(x, y, parts=2, repeats=2),
    "factor_information": lambda x, y: (
        analysis.factor_information(x, y, permutations=2, null_clips=30).null
    ),
    "binned_information": analysis.binned_information,
    "ridge_r2": lambda x, y: analysis.ridge_r2(x, y).r2,
    "ridge_subspace": analysis.ridge_subspace,
    "factor_direction": analysis.factor_direction,
    "ablate": lambda x, y: analysis.ablate(x, y, COLUMN.iloc[:4].argsort(), draws=2).relearnt,
    "attribute_predictability": lambda x, y: analysis.attribute_predictability(x, {"y": y}).values,
    "principal_components": lambda x, y: analysis.principal_components(x, 2).information({"y": y})[
        "y"
    ],
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(
    ("embeddings", "factor"),
    [
        (TABLE, COLUMN),
        (TABLE, COLUMN.to_frame("y")),
        (FEATURES.tolist(), TARGET.tolist()),
        (torch.tensor(FEATURES, requires_grad=True), TARGET[:, None]),
        (np.asfortranarray(FEATURES), TARGET[::-1].copy()[::-1]),
        (TABLE.astype(object), COLUMN.astype("Float64")),
    ],
    ids=["table", "column", "lists", "tensor", "strides", "objects"],
)
def test_analyses_take_tables_by_position(name, embeddings, factor):
    found, expected = FUNCTIONS[name](embeddings, factor), FUNCTIONS[name](FEATURES, TARGET)
    assert np.array_equal(found, expected)


SCALED = FUNCTIONS | {
    "dci": lambda x, y: analysis.dci(x, {"y": y, "z": y[::-1]}, trees=3).importance,
    "interval": lambda x, y: analysis.ridge_r2(x, y).interval,
    "linear_probe": lambda x, y: linear_probe(x, np.arange(40) % 2, np.arange(40) // 10).scores,
}
# A direction says by how much an embedding moves with the factor, and the probe has no factor.
FREE = [name for name in SCALED if name != "factor_direction"]


@pytest.mark.parametrize("name", FREE)
@pytest.mark.parametrize(
    ("x", "y"), [(2.0**300, 1.0), (2.0**-300, 1.0), (1.0, 2.0**300), (1.0, 2.0**-300)]
)
def test_what_an_analysis_finds_is_the_same_in_any_unit(name, x, y):
    found, expected = SCALED[name](x * FEATURES, y * TARGET), SCALED[name](FEATURES, TARGET)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_the_factors_may_be_the_columns_of_a_table():
    factors = pandas.DataFrame({"one": TARGET, "other": FEATURES[:, 2]}, index=ROWS)
    plain = {name: values.to_numpy() for name, values in factors.items()}
    for function in (analysis.dci, analysis.subspace_angles):
        assert function(TABLE, factors).table().equals(function(FEATURES, plain).table())
    options = {"permutations": 2, "progress": False}
    found = analysis.analyse({"x": TABLE}, factors, [({"x": TABLE}, factors)], **options)
    expected = analysis.analyse({"x": FEATURES}, plain, [({"x": FEATURES}, plain)], **options)
    assert found.ridge.table().equals(expected.ridge.table())
    for factor in plain:
        assert np.array_equal(found.again["x"][factor], expected.again["x"][factor])


def test_one_column_is_enough_to_learn_from():
    labels, folds = np.arange(40) % 2, np.arange(40) // 10
    features = FEATURES + labels[:, None]
    expected = linear_probe(features[:, :1], labels, folds).scores
    table = pandas.DataFrame(features, index=ROWS)
    column = pandas.DataFrame({"label": labels}, index=ROWS)
    found = linear_probe(table[[0]], column, pandas.Series(folds, index=ROWS)).scores
    assert np.array_equal(found, expected)
    assert mutual_information(TABLE[["a"]], COLUMN).shape == (1,)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (FEATURES + 0j, "complex128 was given for values; give real numbers"),
        (torch.zeros(2, dtype=torch.complex64), "torch.complex64 was given"),
        (np.array(["a"]), "<U1 was given"),
        (np.array(["2020-01-01"], dtype="datetime64[D]"), r"datetime64\[D\] was given"),
        (np.ma.masked_array([1.0, 2.0], [True, False]), "entries of values are masked"),
        ([[1.0, 2.0], [3.0]], "no array was given for values"),
        ({"a": 1}, "no array of numbers was given for values"),
        (["1", object()], "no array of numbers was given for values"),
        ([10**400], "no array of numbers was given for values"),
        ([torch.ones(1, requires_grad=True)], "no array was given for values"),
    ],
)
def test_what_is_no_array_of_real_numbers_is_refused(values, message):
    with pytest.raises(InputError, match=message):
        as_float64(values)


def test_files_may_be_the_one_column_of_a_table(encoder, tmp_path):
    for number in range(3):
        soundfile.write(tmp_path / f"{number}.wav", WAVES[number], 16_000, subtype="FLOAT")
    paths = [str(tmp_path / f"{number}.wav") for number in range(3)]
    transformer = AudioPGEmbedding(encoder, native=True, batch_size=2).fit()
    expected = transformer.transform(WAVES[:3])
    table = pandas.DataFrame({"file": paths}, index=[4, 2, 9])
    for given in (paths, table, table["file"], np.array(paths), table["file"].astype("string")):
        np.testing.assert_allclose(transformer.transform(given), expected, atol=1e-5)
    assert transformer.transform(paths[0]).shape == (1, 64)
    assert embed_files(paths[0], encoder, native=True, progress=False)[1].shape == (1, 64)


def test_the_one_column_of_a_table_may_hold_waves(encoder):
    expected = encoder.embed(WAVES)
    table = pandas.DataFrame({"wave": list(WAVES)}, index=[4, 2, 9, 7])
    for given in (table, table.to_numpy()):
        assert torch.equal(encoder.embed(given), expected)
        found = AudioPGEmbedding(encoder).fit().transform(given)
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("missing", [None, float("nan"), pandas.NA, WAVES[0]])
def test_what_is_no_path_among_paths_is_refused_by_its_place(encoder, missing):
    for paths in (["a.wav", missing], pandas.Series(["a.wav", missing], dtype=object)):
        for call in (
            AudioPGEmbedding(encoder).fit().transform,
            partial(embed_files, encoder=encoder),
        ):
            with pytest.raises(InputError, match=r"file 1 is .*, which is no path"):
                call(paths)
    with pytest.raises(InputError, match="file 0 is nan, which is no path"):
        AudioPGEmbedding(encoder).fit().transform([float("nan"), "a.wav"])
    for call in (AudioPGEmbedding(encoder).fit().transform, partial(embed_files, encoder=encoder)):
        with pytest.raises(InputError, match="no name holds a null byte"):
            call(["a\0b.wav"])


def test_counts_of_the_analyses_are_whole_numbers():
    x, y = FEATURES, TARGET
    calls = {
        "neighbours": lambda n: mutual_information(x, y, neighbours=n),
        "permutations": lambda n: analysis.permutation_null(x, y, permutations=n),
        "parts": lambda n: analysis.information_error(x, y, parts=n),
        "repeats": lambda n: analysis.information_error(x, y, repeats=n),
        "null_clips": lambda n: analysis.factor_information(x, y, permutations=1, null_clips=n),
        "n_components": lambda n: analysis.principal_components(x, n),
        "bins": lambda n: analysis.binned_information(x, y, bins=n),
        "repeats of ridge": lambda n: analysis.ridge_r2(x, y, repeats=n),
        "draws": lambda n: analysis.ablate(x, y, range(4), draws=n),
        "a count": lambda n: analysis.ablate(x, y, range(4), counts=[n]),
        "dimensions": lambda n: analysis.subspace_angles(x, {"y": y}, dimensions=n),
        "dimensions of one": lambda n: analysis.ridge_subspace(x, y, n),
        "most": lambda n: nearest_clips(x[:2], x, n),
        "trees": lambda n: analysis.dci(x, {"y": y, "z": y}, trees=n),
    }
    for name, call in calls.items():
        for number in (0, 2.5, "3", True, float("nan"), np.array([3, 3])):
            named = name.partition(" of ")[0]
            with pytest.raises(InputError, match=rf"{named} is .*; give a whole number"):
                call(number)
    for number in (2, 2.0, np.int32(2), torch.tensor(2)):
        assert torch.equal(calls["neighbours"](number), calls["neighbours"](2))
        assert torch.equal(calls["bins"](number), calls["bins"](2))


def test_seeds_of_the_analyses_are_whole_numbers_of_64_bits():
    for function in (analysis.permutation_null, analysis.information_error):
        expected = function(FEATURES, TARGET, seed=4)
        assert torch.equal(function(FEATURES, TARGET, seed=np.int64(4)), expected)
        for seed in (None, 1.5, "4", 2**63):
            with pytest.raises(InputError, match=r"seed is .*; give a 64-bit whole number"):
                function(FEATURES, TARGET, seed=seed)


SEEDED = {
    "ridge_r2": lambda seed: analysis.ridge_r2(FEATURES, TARGET, seed=seed).r2,
    "ablate": lambda seed: analysis.ablate(FEATURES, TARGET, range(4), draws=2, seed=seed).random,
    "subspace_angles": lambda seed: (
        analysis.subspace_angles(FEATURES, {"y": TARGET}, seed=seed).angles
    ),
    "dci": lambda seed: (
        analysis.dci(FEATURES, {"y": TARGET, "z": FEATURES[:, 2]}, trees=2, seed=seed).importance
    ),
}


@pytest.mark.parametrize("name", SEEDED)
def test_seeds_of_the_splits_are_whole_numbers_of_64_bits(name):
    found = [SEEDED[name](seed) for seed in (3, np.int64(3), -2, 2**63 - 1)]
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[2], found[3])
    for seed in (None, 1.5, "4", 2**63):
        with pytest.raises(InputError, match=r"seed is .*; give a 64-bit whole number"):
            SEEDED[name](seed)


@pytest.mark.parametrize("number", [None, "0.5", 0, 1, -0.1, float("nan"), True, [0.5]])
def test_a_share_lies_between_0_and_1(number):
    for call in (
        lambda: analysis.ridge_r2(FEATURES, TARGET, test_share=number),
        lambda: analysis.ablate(FEATURES, TARGET, range(4), test_share=number),
        lambda: analysis.dci(FEATURES, {"y": TARGET, "z": TARGET}, test_share=number),
    ):
        with pytest.raises(InputError, match=r"test_share is .*; give a number between 0 and 1"):
            call()


def test_what_needs_names_is_given_by_name(encoder):
    for call in (
        lambda: analysis.dci(FEATURES, [TARGET, TARGET]),
        lambda: analysis.subspace_angles(FEATURES, [TARGET]),
        lambda: analysis.information_gaps([TARGET], {"y": TARGET}),
        lambda: analysis.analyse([FEATURES], {"y": TARGET}, permutations=2),
        lambda: analysis.ridge_comparison({"x": FEATURES}, [TARGET]),
        lambda: analysis.ridge_comparison([FEATURES], {"y": TARGET}),
        lambda: compare_encoders(CLIPS, WAVES, [encoder]),
    ):
        with pytest.raises(InputError, match="are given as list; give them by name, in a dict"):
            call()


@pytest.mark.parametrize("value", [None, 3, 0.5, io.BytesIO(b"RIFF"), ["a.wav"]])
def test_what_is_no_path_is_refused(encoder, value):
    for call in (
        load_audio,
        partial(read_window, first=0, samples=1),
        partial(load_clip, samples=1),
        lambda path: load_clips([path], 1),
        read_dataset,
        audio_files,
        find_recordings,
        esc50,
        analysis.read_filters,
        *([] if value is None else [partial(find_dataset, "esc10")]),
    ):
        with pytest.raises(InputError, match=r"names no .*; give a path"):
            call(value)
    if not isinstance(value, list):
        with pytest.raises(InputError, match="which is no path"):
            embed_files(value, encoder)


def test_a_folder_of_recordings_may_be_named_by_a_text(tmp_path):
    assert find_dataset("esc10", str(tmp_path)) is None
    with pytest.raises(InputError, match=r"none\.wav is not there"):
        load_audio(os.fsencode(tmp_path / "none.wav"))


@pytest.mark.parametrize("strengths", [None, "a", [], [0], [1, None], [-1.0]])
def test_strengths_are_numbers_above_0(strengths):
    with pytest.raises(InputError, match="strengths"):
        linear_probe(FEATURES, np.arange(40) % 2, np.arange(40) // 10, strengths=strengths)


def test_test_folds_are_whole_folds():
    labels, folds = np.arange(40) % 2, np.arange(40) // 10
    for asked in ([1.5], [1, 9], ["a"], []):
        with pytest.raises(InputError, match="test_folds"):
            linear_probe(FEATURES, labels, folds, test_folds=asked)
    for asked in ([2, 1], (1, 2, 2), np.array([1.0, 2.0]), torch.tensor([1, 2])):
        assert linear_probe(FEATURES, labels, folds, test_folds=asked).folds == [1, 2]


@pytest.mark.parametrize("value", [None, [0, 1], WAVES, SynthPrior()])
def test_what_are_no_clips_is_not_rendered(value):
    with pytest.raises(InputError, match=r"are no clips; give what SynthPrior\.sample returns"):
        render(value)


def test_a_spectrogram_of_another_precision_is_the_same():
    model, mel = MaskedAutoencoder.preset("micro"), LogMel()(WAVES)
    expected = model(mel, range(4), 0).loss
    for given in (mel.double(), mel.double().numpy(), mel.numpy()):
        assert torch.equal(model(given, range(4), 0).loss, expected)


def test_settings_may_be_numbers_of_numpy():
    given = {"epochs": np.int64(2), "learning_rate": np.float32(0.5), "roll": np.True_}
    settings = FinetuneSettings(seed=np.arange(3)[1], **given)
    assert settings == FinetuneSettings(epochs=2, learning_rate=0.5, roll=True, seed=1)
    assert json.loads(json.dumps(asdict(settings))) == asdict(settings)


@pytest.mark.parametrize("clips", [[0.5], ["a"], None, [1j], [2**63], [10**5000], [float("nan")]])
def test_clips_are_whole_numbers(clips):
    with pytest.raises(InputError, match="clip was given"):
        SynthPrior().sample(clips, 0)


def test_clips_of_any_kind_are_the_same():
    expected = SynthPrior().sample(torch.tensor([2**40, 5]), 0)
    for clips in ([2**40, 5], [2.0**40, 5.0], pandas.Series([2**40, 5], index=[8, 9]), (2**40, 5)):
        assert torch.equal(SynthPrior().sample(clips, 0).f0, expected.f0)
    backwards = SynthPrior().sample(np.array([5, 2**40])[::-1], 0)
    assert torch.equal(backwards.clip, expected.clip)


# JSON


def readers(folder):
    """Every function that reads a JSON file that another hand may have written, and where it is."""
    (folder / "run").mkdir()
    return {
        "scene": (folder / "a.json", lambda: read_scene(folder / "a.json")),
        "record": (folder / "a.json", lambda: read_record("a", folder)),
        "pre-training": (folder / "run/settings.json", lambda: read_settings(folder / "run")),
        "fine-tuning": (folder / "run/run.json", lambda: read_run(folder / "run")),
        "plain": (folder / "a.json", lambda: read_json(folder / "a.json")),
    }


KIND = pytest.mark.parametrize("kind", ["scene", "record", "pre-training", "fine-tuning", "plain"])


@KIND
@pytest.mark.parametrize(
    "content",
    [
        b'{"clips": ' + b"9" * 5000 + b"}",
        b'{"steps": 1e400, "a": ' + b"-" + b"1" * 4301 + b"}",
        b'{"steps": 12',
        b"",
        b"[" * 100_000,
        b'{"a": "\xff"}',
        b"\x00\x01",
        b'{"clips": [{"events": [{"f0": 220, "onset": 1, "f0": 440}]}]}',
    ],
    ids=["digits", "negative", "half", "empty", "nested", "encoding", "binary", "twice"],
)
def test_a_file_that_is_no_json_is_refused_by_name(kind, content, tmp_path):
    path, read = readers(tmp_path)[kind]
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"{path.name} is damaged: it is no JSON \("):
        read()


@KIND
def test_numbers_within_what_python_reads_are_judged_by_who_asked(kind, tmp_path):
    path, read = readers(tmp_path)[kind]
    path.write_text('{"steps": ' + "9" * 400 + "}")
    if kind in ("plain", "record"):
        assert read() == {"steps": int("9" * 400)}
    else:
        with pytest.raises(InputError, match=path.name):
            read()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_is_no_fault(encoding, tmp_path):
    plain, marked = tmp_path / "plain.json", tmp_path / "marked.json"
    write_scene(SynthPrior().sample([3], 0), plain)
    marked.write_text(plain.read_text(), encoding=encoding)
    assert torch.equal(read_scene(marked).f0, read_scene(plain).f0)
    (tmp_path / "settings.json").write_text('{"steps": 12}', encoding=encoding)
    assert read_settings(tmp_path).steps == 12
    (tmp_path / "record.json").write_text('{"name": "ä"}', encoding=encoding)
    assert read_record("record", tmp_path) == {"name": "ä"}


def test_a_scene_of_numbers_too_long_is_one_sentence(tmp_path, capsys):
    path = tmp_path / "scene.json"
    path.write_text('{"clips": [{"seed": ' + "9" * 5000 + "}]}")
    assert main(["synth", "--json", str(path), "--out", str(tmp_path / "out")]) == 2
    message = capsys.readouterr().err
    assert "scene.json is damaged" in message
    assert len(message.splitlines()) == 1


def test_what_lies_near_is_found_in_tables_too():
    found, cosines = nearest_clips(TABLE.iloc[:5], TABLE)
    assert found[:, 0].tolist() == list(range(5))
    expected = nearest_clips(torch.from_numpy(FEATURES[:5]), torch.from_numpy(FEATURES))
    assert np.array_equal(cosines, expected[1])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("runs/first", r"'runs/first' is no encoder; .* audiopg\.load_encoder\('runs/first'\)\.$"),
        (Path("a"), r"PosixPath\('a'\) is no encoder; .* audiopg\.load_encoder\('a'\)\.$"),
        (None, r"None is no encoder; .* audiopg\.load_encoder\('tiny'\)\.$"),
        (np.ones(3), r"is no encoder; give one, such as audiopg\.load_encoder\('tiny'\)\.$"),
        (Encoder, r"is no encoder; give one"),
        (MaskedAutoencoder.preset("micro"), r"is no encoder; give its part \.encoder\.$"),
    ],
)
def test_what_is_no_encoder_is_refused_with_the_call_that_gives_one(tmp_path, given, message):
    soundfile.write(tmp_path / "a.wav", WAVES[0], 16000)
    for take in (
        lambda: embed_files([tmp_path / "a.wav"], given, progress=False),
        lambda: clip_features(WAVES, {"row": given}, progress=False),
        lambda: embed_clips(given, SynthPrior().sample([0], 0), progress=False),
        lambda: embed_clips(given, SynthPrior().sample([0], 0), layers=True, progress=False),
    ):
        with pytest.raises(InputError, match=message):
            take()
