from dataclasses import fields

import hypothesis.strategies as st
import numpy as np
import pandas
import pytest
import torch
from hypothesis import given, settings

from audiopg.errors import InputError
from audiopg.synth import (
    EXCITATIONS,
    PRESETS,
    SENSITIVITY,
    ClipParameters,
    SynthPrior,
    from_table,
    read_table,
    to_table,
    vary,
    write_table,
)
from audiopg.synth.factors import FACTORS, factor_names


def assert_same(one, other):
    for field in fields(ClipParameters):
        a, b = getattr(one, field.name), getattr(other, field.name)
        assert a.dtype == b.dtype, field.name
        assert torch.equal(a, b), field.name
        assert torch.equal(a.signbit(), b.signbit()), field.name


@st.composite
def parameters(draw):
    """Any factors within their ranges, awkward numbers among them."""
    clips, events, partials = (draw(st.integers(1, 3)) for _ in range(3))
    whole = st.integers(-(2**63), 2**63 - 1)
    values = {
        name: st.floats(max(factor.low, -1e300), min(factor.high, 1e300))
        for name, factor in FACTORS.items()
    } | {
        "seed": whole,
        "clip": whole,
        "event_count": st.integers(0, events),
        "excitation": st.integers(0, len(EXCITATIONS) - 1),
        "band_limited": st.booleans(),
        "onset": st.floats(0, 5),
        "length": st.floats(0.001, 5),
        "partial_count": st.integers(1, partials),
        **dict.fromkeys(("attack", "decay", "release"), st.floats(0, 0.33)),
    }
    columns = {}
    for field in fields(ClipParameters):
        name = field.name
        shape = (clips,) if name in factor_names("clip") else (clips, events)
        if name in factor_names("partial"):
            shape = (clips, events, partials)
        drawn = draw(
            st.lists(values[name], min_size=int(np.prod(shape)), max_size=int(np.prod(shape)))
        )
        dtype = torch.float64 if isinstance(drawn[0], float) else None
        columns[name] = torch.tensor(drawn, dtype=dtype).reshape(shape)
    return ClipParameters(**columns)


@given(parameters())
@settings(max_examples=60)
def test_a_table_loses_nothing(params):
    params.validate()
    assert_same(from_table(to_table(params)), params)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("tables") / "parameters.csv"


@given(parameters())
@settings(max_examples=60)
def test_nor_does_a_file(path, params):
    write_table(params, path)
    assert_same(read_table(path), params)
    assert [file.name for file in path.parent.iterdir()] == ["parameters.csv"]


def test_a_table_that_could_not_be_read_again_is_not_written(tmp_path):
    params = SynthPrior().sample(torch.arange(2), seed=4)
    params.f0[1, 0] = torch.nan
    with pytest.raises(InputError, match="clip row 1: f0 is nan; the range is 1 to 8000 Hz"):
        write_table(params, tmp_path / "parameters.csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_goes_through_a_file(tmp_path, preset):
    params = SynthPrior.preset(preset).sample(torch.arange(5), seed=-(2**63))
    write_table(params, tmp_path / "parameters.csv")
    assert_same(read_table(tmp_path / "parameters.csv"), params)


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


def test_a_table_from_before_the_additions_is_read(tmp_path):
    params = SynthPrior().sample(torch.arange(3), seed=0)
    old = to_table(params).drop(columns=[*factor_names("event", "clip", beyond=True)])
    old.to_csv(tmp_path / "old.csv")
    assert_same(read_table(tmp_path / "old.csv"), params)


def test_clips_of_one_seed_and_index_are_told_apart():
    clip = SynthPrior().sample(torch.tensor([6]), seed=0)
    varied = vary(clip, "f0", [100.0, 200.0])
    assert_same(from_table(to_table(varied)), varied)


def test_some_clips_of_a_table_come_in_the_order_of_their_rows():
    params = SynthPrior(shared_source=False).sample(torch.arange(6), seed=0)
    table = to_table(params).loc[[5, 1, 4]].sort_values("f0").drop(columns="heard")
    assert_same(from_table(table), params[[1, 4, 5]])


def test_no_clips_make_a_table_of_columns_alone():
    table = to_table(SynthPrior().sample(torch.arange(0), seed=0))
    assert table.shape == (0, GOOD.shape[1])


def test_what_is_heard_follows_from_the_count_alone():
    params = SynthPrior().sample(torch.arange(4), seed=0)
    assert_same(from_table(to_table(params).assign(heard=False)), params)


GOOD = to_table(SynthPrior().sample(torch.arange(3), seed=0))


def changed(column, value, at=(1, 2)):
    table = GOOD.astype({column: object})
    table.loc[at, column] = value
    return table


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([1, 2], r"a table is a pandas DataFrame; this is \[1, 2\]"),
        (GOOD.iloc[:0], "the table is empty"),
        (GOOD.drop(columns="f0"), "no column 'f0'"),
        (GOOD.drop(columns="partial_weight_1"), "no column 'partial_weight_1'"),
        (GOOD.drop(columns="partial_phase_15"), "no column 'partial_phase_15'"),
        (GOOD.assign(pitch=3), "unknown column 'pitch'; it takes the factors of ClipParameters"),
        (GOOD.assign(partial_phase_16=0.0), "unknown column 'partial_phase_16'.* from 1 to 15"),
        (pandas.concat([GOOD, GOOD[["f0"]]], axis=1), "2 columns 'f0'"),
        (GOOD.reset_index(), "unknown column 'row'"),
        (GOOD.reset_index(drop=True), r"index is \[None\]; it takes \['row', 'event'\]"),
        (GOOD.query("heard"), r"row \d has the events .*; number those of every clip from 0 to"),
        (GOOD.drop(index=[(0, 1), (1, 1), (2, 1)]), r"row 0 has the events \[0, 2, 3, 4\]; number"),
        (pandas.concat([GOOD, GOOD]), r"row 0 has the events \[0, 0, 1.*from 0 to 9"),
        (GOOD.rename(index={2: "two"}, level="row"), 'index row is "two"; give a whole number'),
        (changed("f0", float("nan")), "row 1, event 2: f0 is NaN; give a finite number"),
        (changed("f0", pandas.NA), 'row 1, event 2: f0 is "<NA>"; give a finite number'),
        (changed("f0", float("inf")), "row 1, event 2: f0 is Infinity"),
        (changed("f0", "high"), 'row 1, event 2: f0 is "high"; give a finite number'),
        (changed("f0", True), "row 1, event 2: f0 is true; give a finite number"),
        (changed("partial_weight_3", "x"), 'row 1, event 2: partial_weight_3 is "x"'),
        (changed("partial_count", 2.5), "partial_count is 2.5; give a 64-bit whole number"),
        (changed("excitation", "hum"), r'event 2: excitation is "hum"; choose from \(\'harmonic'),
        (changed("excitation", 1), "event 2: excitation is 1; choose from"),
        (changed("band_limited", "no"), 'event 2: band_limited is "no"; give true or false'),
        (changed("seed", 2**63), "seed is 9223372036854775808; give a 64-bit whole number"),
        (changed("seed", 5), "row 1, event 2: seed is not that of event 0; a clip has one"),
        (changed("cutoff", 5000.0, (0, 4)), "row 0, event 4: cutoff is not that of event 0"),
        (changed("f0", 9000.0), "clip row 1: f0 is 9000; the range is 1 to 8000 Hz"),
        (GOOD.assign(event_count=6), "clip row 0: event_count is 6; the range is 0 to 5"),
    ],
)
def test_a_bad_table_is_refused_by_its_place(table, message):
    with pytest.raises(InputError, match=message):
        from_table(table)


TEXT = GOOD.to_csv()
CELLS = len(TEXT.partition("\n")[0].split(","))


def edited(old, new):
    assert old in TEXT
    return TEXT.replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column 'row'"),
        ("\n", "no column 'row'"),
        (TEXT.partition("\n")[0] + "\n", "the table is empty"),
        (edited("row,", "line,"), "no column 'row'"),
        (edited("clip,", "row,"), "2 columns 'row'"),
        (edited(",f0,", ",pitch,"), "no column 'f0'"),
        (edited(",f0,", ",onset,"), "no column 'f0'"),
        (edited(",heard,", ",f0,"), "2 columns 'f0'"),
        (TEXT + "3,0,True\n", f"number of cells is 3 in line 17 and {CELLS} in the first"),
        (edited("\n0,2,", "\n0,,"), 'the index event is ""; give a whole number'),
        (edited(f",{GOOD.excitation.iloc[0]},", ",,"), 'event 0: excitation is ""; choose from'),
        (edited("\n0,1,True,0,", "\n0,1,True,0.0,"), "row 0, event 1: seed is 0.0; give a 64-bit"),
        (edited("\n0,1,True,0,", "\n0,1,True,5e17,"), "row 0, event 1: seed is 5e"),
        (edited("\n0,1,True,0,", '\n0,1,True,"0'), "no CSV"),
        (edited(",False,", ",nan,"), "row 0, event 0: band_limited is NaN; give true or false"),
    ],
)
def test_a_bad_file_is_named_with_the_place(tmp_path, text, message):
    path = tmp_path / "clips.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"clips\.csv.*{message}") as caught:
        read_table(path)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_text_is_named(tmp_path):
    with pytest.raises(InputError, match=r"clips\.csv cannot be read"):
        read_table(tmp_path / "clips.csv")
    (tmp_path / "clips.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"clips\.csv cannot be read"):
        read_table(tmp_path / "clips.csv")


def test_a_file_that_a_spreadsheet_saved_is_read(tmp_path):
    """A byte order mark, the line ends of Windows, truths in capitals, numbers without a point."""
    path = tmp_path / "clips.csv"
    text = TEXT.replace("True", "TRUE").replace("False", "FALSE").replace(",8000.0,", ",8000,")
    path.write_bytes(("\ufeff" + text.replace("\n", "\r\n")).encode())
    assert_same(read_table(path), from_table(GOOD))


@given(st.data())
@settings(max_examples=60)
def test_any_damage_is_refused_or_read(path, data):
    lines = [line.split(",") for line in TEXT.splitlines()]
    line = data.draw(st.integers(0, len(lines) - 1))
    place = data.draw(st.integers(0, len(lines[0]) - 1))
    lines[line][place] = data.draw(
        st.text(max_size=5) | st.floats().map(repr) | st.integers().map(str)
    )
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write("\n".join(map(",".join, lines)) + "\n")
    try:
        params = read_table(path)
    except InputError:
        return
    write_table(params, path)
    assert_same(read_table(path), params)
