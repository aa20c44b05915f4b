"""Tables have every factor of every event, in memory and in a file."""

import csv
from dataclasses import fields

import numpy as np
import pytest
import torch

from audiopg.errors import InputError
from audiopg.synth import (
    EXCITATIONS,
    PRESETS,
    SENSITIVITY,
    ClipParameters,
    SynthPrior,
    to_table,
    vary,
    write_table,
)


def test_a_row_is_an_event_and_says_whether_it_is_heard():
    prior = SynthPrior.preset("full", shared_source=False, **SENSITIVITY["5-10 events"])
    params = prior.sample(torch.arange(7, 27), seed=3)
    table = to_table(params)
    assert table.index.names == ["row", "event"]
    assert table.shape == (20 * 10, 1 + len(fields(ClipParameters)) + 3 * (15 - 1))
    for row, event in ((0, 0), (4, 9), (19, 3)):
        line = table.loc[(row, event)]
        assert line["heard"] == (event < params.event_count[row])
        assert line["clip"] == row + 7
        assert line["cutoff"] == params.cutoff[row]
        assert line["f0"] == params.f0[row, event]
        assert line["excitation"] == EXCITATIONS[params.excitation[row, event]]
        assert line["partial_phase_1"] == params.partial_phase[row, event, 0]
        assert line["partial_weight_15"] == params.partial_weight[row, event, 14]
    found = table.query("heard").groupby("excitation").f0.describe()
    for code, name in enumerate(("harmonic", "fm", "sawtooth", "square")):
        f0 = params.f0[(params.excitation == code) & params.event_mask]
        assert found.loc[name, "count"] == len(f0)
        np.testing.assert_allclose(found.loc[name, "mean"], f0.mean())


@pytest.mark.parametrize("preset", PRESETS)
def test_a_file_keeps_all_digits(tmp_path, preset):
    params = SynthPrior.preset(preset).sample(torch.arange(5), seed=-(2**63))
    write_table(params, path := tmp_path / "parameters.csv")
    table = to_table(params).reset_index()
    with open(path, newline="") as file:
        lines = list(csv.DictReader(file))
    assert [*lines[0]] == [*table]
    for name, column in table.items():
        read = {"i": int, "f": float}.get(column.dtype.kind, str)
        assert [read(line[name]) for line in lines] == [*map(read, column.tolist())], name
    assert [file.name for file in tmp_path.iterdir()] == ["parameters.csv"]


def test_what_is_out_of_its_range_is_not_written(tmp_path):
    params = SynthPrior().sample(torch.arange(2), seed=4)
    params.f0[1, 0] = torch.nan
    with pytest.raises(InputError, match="clip row 1: f0 is nan; the range is 1 to 8000 Hz"):
        write_table(params, tmp_path / "parameters.csv")
    assert list(tmp_path.iterdir()) == []


def test_clips_of_one_seed_and_index_are_told_apart():
    clip = SynthPrior().sample(torch.tensor([6]), seed=0)
    table = to_table(vary(clip, "f0", [100.0, 200.0]))
    assert table.index.is_unique
    assert [*table.xs(0, level="event").f0] == [100, 200]


def test_no_clips_make_a_table_of_columns_alone():
    some, none = (to_table(SynthPrior().sample(torch.arange(n), seed=0)) for n in (3, 0))
    assert none.shape == (0, some.shape[1])


def test_a_table_is_not_written_as_what_its_name_says_that_it_is_not(tmp_path):
    params = SynthPrior.preset("full").sample(torch.arange(2), seed=0)
    with pytest.raises(
        InputError, match=r"table\.parquet is no name of a table; let it end in \.csv"
    ):
        write_table(params, tmp_path / "table.parquet")
    assert not any(tmp_path.iterdir())
