"""Files, folders and tables of embeddings, and the transformer in scikit-learn's own tools."""

import os
import pickle
import sys
from types import ModuleType

import numpy as np
import pandas
import pytest
import soundfile
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from audiopg.datasets import load_audio
from audiopg.errors import InputError
from audiopg.mae import Encoder, MaskedAutoencoder
from audiopg.pretrained import save_model
from audiopg.transfer import (
    AudioPGEmbedding,
    check_table,
    embed_files,
    list_audio,
    write_embeddings,
)
from audiopg.transfer.waves import batches_by_length

CLOSE = {"atol": 1e-5, "rtol": 1e-5}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    save_model(MaskedAutoencoder.preset("micro", seed=5), path)
    return str(path)


@pytest.fixture(scope="module")
def encoder():
    return Encoder.preset("micro", seed=5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twelve files of hiss or tone: of several lengths, rates, formats and numbers of channels."""
    folder = tmp_path_factory.mktemp("sounds")
    (folder / "inside").mkdir()
    rng = np.random.default_rng(0)
    for clip in range(12):
        rate = (16000, 22050)[clip % 3 == 0]
        wave = 0.05 * rng.normal(size=(4000 + 900 * (clip % 5), 1 + clip % 2))
        if clip % 2:
            wave += 0.3 * np.sin(np.arange(len(wave)) * rng.uniform(0.2, 0.4))[:, None]
        name = f"{clip:02}.{('wav', 'flac', 'ogg')[clip % 3]}"
        soundfile.write(folder / ("inside" if clip > 8 else ".") / name, wave, rate)
    return folder


# Files


@pytest.mark.parametrize("native", [False, True])
def test_files_and_folders_are_embedded_in_the_order_they_are_named(folder, encoder, native):
    last = folder / "05.ogg"
    files, embeddings = embed_files(
        [last, str(folder / "inside"), folder],
        encoder,
        pooling="frequency",
        native=native,
        batch_size=5,
        progress=False,
    )
    inside = sorted((folder / "inside").iterdir())
    every = sorted(path for path in folder.rglob("*") if path.suffix in (".wav", ".flac", ".ogg"))
    assert files == [last, *inside, *every] == list_audio([last, folder / "inside", folder])
    assert embeddings.shape == (16, 512)
    for file, found in zip(files, embeddings, strict=True):
        expected = encoder.embed(load_audio(file), pooling="frequency", native=native)
        torch.testing.assert_close(found, expected, **CLOSE)


def test_files_that_cannot_be_used_are_all_named_at_the_start(folder, encoder, tmp_path):
    broken, short = tmp_path / "broken.wav", tmp_path / "short.wav"
    broken.write_bytes(b"RIFF of no use")
    soundfile.write(short, np.zeros(399), 16000)
    paths = [folder / "00.wav", broken, tmp_path / "gone.wav", short]
    with pytest.raises(InputError, match="3 of 4 files cannot be used") as caught:
        embed_files(paths, encoder, native=True)
    message = str(caught.value)
    for part in (
        "broken.wav is damaged",
        "gone.wav is not there",
        "short.wav is shorter than one window",
    ):
        assert part in message
    assert "00.wav" not in message
    assert "\n" not in message
    with pytest.raises(InputError, match="2 of 4 files"):
        embed_files(paths, encoder)


def test_a_file_whose_content_is_damaged_is_named(encoder, tmp_path):
    path = tmp_path / "cut.flac"
    soundfile.write(path, np.random.default_rng(0).normal(size=40000) * 0.1, 16000)
    path.write_bytes(path.read_bytes()[:20000])
    with pytest.raises(InputError, match=r"cut\.flac is cut short"):
        embed_files([path], encoder, progress=False)


@pytest.mark.parametrize("native", [False, True])
def test_files_that_cannot_be_used_are_left_out_when_asked(folder, encoder, tmp_path, native):
    broken, cut = tmp_path / "broken.wav", tmp_path / "cut.flac"
    broken.write_bytes(b"RIFF of no use")
    soundfile.write(cut, np.random.default_rng(0).normal(size=40000) * 0.1, 16000)
    cut.write_bytes(cut.read_bytes()[:20000])
    loud = tmp_path / "loud.wav"
    soundfile.write(loud, np.random.default_rng(0).normal(size=40000) * 9000, 16000, "FLOAT")
    with pytest.raises(InputError, match=r"loud\.wav: .* reaches [\d,]+, and full scale is 1"):
        embed_files([folder / "00.wav", loud], encoder, native=native, progress=False)
    good = [folder / "00.wav", folder / "01.flac", folder / "05.ogg"]
    good = [path for path in good if path.exists()]
    paths, how = [broken, *good, cut, good[0], loud], {"native": native, "progress": False}
    with pytest.warns(
        UserWarning, match=r"^3 of \d files cannot be used, .*first: .*broken\.wav is"
    ):
        files, found = embed_files(paths, encoder, batch_size=2, skip_bad=True, **how)
    assert files == [*good, good[0]]
    torch.testing.assert_close(found, embed_files(files, encoder, **how)[1], **CLOSE)
    with pytest.raises(InputError, match=r"^no file can be used \(the first: .*broken\.wav"):
        embed_files([broken, cut], encoder, skip_bad=True, **how)


def test_of_long_recordings_only_what_is_embedded_is_read(encoder, tmp_path, monkeypatch):
    paths, rate = [tmp_path / f"{clip}.wav" for clip in range(6)], 8000
    for clip, path in enumerate(paths):
        wave = 0.1 * np.random.default_rng(clip).normal(size=100 * rate)
        soundfile.write(path, wave, rate)
    expected = torch.stack([encoder.embed(load_audio(path)) for path in paths])
    read, kept = soundfile.SoundFile.read, []

    def count(self, *arguments, **settings):
        samples = read(self, *arguments, **settings)
        kept.append(len(samples))
        return samples

    monkeypatch.setattr(soundfile.SoundFile, "read", count)
    _, found = embed_files(paths, encoder, progress=False)
    torch.testing.assert_close(found, expected, **CLOSE)
    # A clip of 10.24 s each, and at most one block around it.
    assert sum(kept) < 6 * (10.24 * rate + 2**16 + 2 * 512)
    kept.clear()
    np.testing.assert_allclose(AudioPGEmbedding(encoder).fit().transform(paths), expected, **CLOSE)
    assert sum(kept) < 6 * (10.24 * rate + 2**16 + 2 * 512)


@pytest.mark.parametrize("batch_size", [1, 4, 32])
def test_recordings_share_a_batch_while_they_fit_into_its_memory(batch_size):
    seconds = np.random.default_rng(0).exponential(100, 200)
    seconds[:50] /= 100
    batches = batches_by_length(seconds, batch_size, 10.24 * batch_size)
    assert sorted(row for batch in batches for row in batch) == list(range(200))
    for batch in batches:
        assert len(batch) <= batch_size
        assert len(batch) == 1 or len(batch) * seconds[batch].max() <= 10.24 * batch_size
    assert len(batches[0]) == batch_size


def test_a_folder_without_sound_is_refused(encoder, tmp_path):
    with pytest.raises(InputError, match="holds no audio file"):
        embed_files([tmp_path], encoder)


def test_embeddings_that_are_not_finite_are_refused(tmp_path):
    encoder = Encoder.preset("micro")
    encoder.patch_projection.weight[0, 0] = torch.nan
    soundfile.write(tmp_path / "a.wav", np.ones(8000) * 0.1, 16000)
    with pytest.raises(InputError, match=r"of 1 of 1 files are not finite \(.*a\.wav is the first"):
        embed_files([tmp_path / "a.wav"], encoder, progress=False)


# Tables


def test_an_npz_table_has_a_row_a_file(tmp_path):
    embeddings = torch.randn(3, 5)
    write_embeddings(tmp_path / "new/table.npz", ["a.wav", tmp_path / "b.wav", "ü.wav"], embeddings)
    with np.load(tmp_path / "new/table.npz") as table:
        assert table["files"].tolist() == ["a.wav", str(tmp_path / "b.wav"), "ü.wav"]
        np.testing.assert_array_equal(table["embeddings"], embeddings)
        assert table["embeddings"].dtype == np.float32


def test_a_name_that_is_not_utf_8_is_written_as_it_can_be_shown(tmp_path):
    name = os.fsdecode(b"caf\xe9.wav")
    write_embeddings(tmp_path / "table.npz", [name], torch.zeros(1, 2))
    with np.load(tmp_path / "table.npz") as table:
        assert table["files"].tolist() == ["caf\\xe9.wav"]


def test_a_parquet_table_without_pyarrow_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    path = tmp_path / "table.parquet"
    for refused in (
        lambda: check_table(path),
        lambda: write_embeddings(path, ["a.wav"], torch.zeros(1, 2)),
    ):
        with pytest.raises(InputError, match="needs pyarrow, which is not installed") as caught:
            refused()
        assert "\n" not in str(caught.value)
    assert not path.exists()


def test_a_parquet_table_has_a_column_a_dimension(tmp_path, monkeypatch):
    """With pandas' writer held back, since pyarrow need not be installed."""
    written = {}

    def hold_back(table, path, **options):
        written.update(table=table, options=options)
        path.touch()

    monkeypatch.setitem(sys.modules, "pyarrow", ModuleType("pyarrow"))
    monkeypatch.setattr(pandas.DataFrame, "to_parquet", hold_back)
    embeddings = torch.randn(2, 3)
    write_embeddings(tmp_path / "table.parquet", ["a.wav", "b.wav"], embeddings)
    table = written["table"]
    assert list(table.columns) == ["file", "z0", "z1", "z2"]
    assert table["file"].tolist() == ["a.wav", "b.wav"]
    np.testing.assert_array_equal(table[["z0", "z1", "z2"]], embeddings)
    assert written["options"] == {"engine": "pyarrow", "index": False}
    assert (tmp_path / "table.parquet").exists()


def test_a_parquet_table_can_be_read_again(tmp_path):
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    embeddings = torch.randn(2, 3)
    write_embeddings(tmp_path / "table.parquet", ["a.wav", "b.wav"], embeddings)
    table = pandas.read_parquet(tmp_path / "table.parquet")
    np.testing.assert_array_equal(table[["z0", "z1", "z2"]], embeddings)


def test_a_table_that_cannot_be_written_is_known_before_the_work(tmp_path):
    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"folder\.npz is a folder; name a file\."):
        check_table(tmp_path / "folder.npz")
    with pytest.raises(InputError, match=r"file cannot be written \(Not a directory\)"):
        check_table(tmp_path / "file/table.npz")
    check_table(tmp_path / "new/table.npz")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.npz"]


def test_a_table_on_a_full_disk_is_one_sentence(tmp_path, largest_file):
    with (
        largest_file(10_000),
        pytest.raises(InputError, match=r"table\.npz cannot be written \(File too large\); al"),
    ):
        write_embeddings(tmp_path / "table.npz", ["a"] * 100, torch.zeros(100, 100))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["numpy", "bfloat16", "requires_grad"])
def test_embeddings_of_any_kind_are_written_as_float32(tmp_path, kind):
    values = torch.tensor([[1.0, 2.0], [0.5, -3.0]])
    given = values.numpy() if kind == "numpy" else values.clone().requires_grad_()
    given = values.bfloat16() if kind == "bfloat16" else given
    write_embeddings(tmp_path / "table.npz", ["a", "b"], given)
    with np.load(tmp_path / "table.npz") as table:
        assert table["embeddings"].dtype == np.float32
        np.testing.assert_array_equal(table["embeddings"], values)


@pytest.mark.parametrize(
    ("embeddings", "message"),
    [
        (torch.ones(2, 3), "3 files are given for 2 embeddings; give one each"),
        (torch.ones(3), r"shape \(3,\); give \(clips, dimensions\)"),
        (torch.full((3, 1), torch.nan), "3 of 3 clips are not finite"),
    ],
)
def test_embeddings_that_are_not_one_for_each_file_are_refused(tmp_path, embeddings, message):
    with pytest.raises(InputError, match=message):
        write_embeddings(tmp_path / "table.npz", ["a", "b", "c"], embeddings)
    assert not list(tmp_path.iterdir())


def test_a_table_of_another_kind_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"table\.csv does not end in \.npz or \.parquet"):
        check_table(tmp_path / "table.csv")


# scikit-learn


def make_waves(clips=30):
    rng = np.random.default_rng(1)
    labels = np.arange(clips) % 2
    waves = [0.1 * rng.normal(size=800 + 100 * (clip % 7)) for clip in range(clips)]
    for wave, label in zip(waves, labels, strict=True):
        if label:
            wave += np.sin(np.arange(len(wave)) * rng.uniform(0.2, 0.4))
    return waves, labels


def test_it_is_cross_validated_in_a_pipeline(weights):
    waves, labels = make_waves()
    pipeline = make_pipeline(
        AudioPGEmbedding(weights, native=True), StandardScaler(), LogisticRegression()
    )
    scores = cross_val_score(pipeline, waves, labels, cv=3, error_score="raise")
    assert scores.shape == (3,)
    assert scores.mean() > 0.8


def test_its_settings_can_be_searched(weights, folder):
    paths = sorted(map(str, (folder / "inside").iterdir())) + sorted(map(str, folder.glob("0*")))
    pipeline = make_pipeline(AudioPGEmbedding(weights), LogisticRegression())
    grid = {"audiopgembedding__pooling": ["mean", "frequency"]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(paths, np.arange(12) % 2)
    sizes = {"mean": 64, "frequency": 512}
    best = search.best_estimator_
    assert best[-1].n_features_in_ == sizes[best[0].pooling]


def test_it_is_cloned_with_its_settings_and_without_its_weights(weights):
    embedding = AudioPGEmbedding(weights, pooling="frequency", native=True, batch_size=4)
    assert embedding.get_params() == {
        "encoder": weights,
        "pooling": "frequency",
        "native": True,
        "sample_rate": 16000,
        "batch_size": 4,
    }
    fitted = embedding.fit([])
    assert fitted is embedding
    copy = clone(embedding)
    assert copy.get_params() == embedding.get_params()
    assert not hasattr(copy, "encoder_")
    assert clone(copy.set_params(pooling="mean")).pooling == "mean"
    assert "AudioPGEmbedding(" in repr(embedding)
    with pytest.raises(NotFittedError):
        copy.transform([np.zeros(800)])


def test_waves_arrays_paths_and_series_of_them_are_embedded(encoder, weights, folder):
    waves, _ = make_waves(5)
    embedding = AudioPGEmbedding(weights, batch_size=2).fit()
    found = embedding.transform(waves)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, encoder.embed(waves), **CLOSE)
    square = np.stack([wave[:800] for wave in waves])
    for same in (square, torch.from_numpy(square), list(square)):
        np.testing.assert_allclose(embedding.transform(same), encoder.embed(square), **CLOSE)
    paths = sorted(folder.glob("0*"))
    expected = torch.stack([encoder.embed(load_audio(path)) for path in paths])
    for same in (paths, [str(p) for p in paths], np.array(list(map(str, paths)))):
        np.testing.assert_allclose(embedding.transform(same), expected, **CLOSE)
    np.testing.assert_allclose(embedding.transform(iter(paths)), expected, **CLOSE)
    series = pandas.Series(map(str, paths), index=np.arange(9)[::-1])
    np.testing.assert_allclose(embedding.transform(series), expected, **CLOSE)
    assert embedding.transform([]).shape == (0, 64)


def test_the_rate_is_that_of_waves_and_files_say_theirs(encoder, folder):
    embedding = AudioPGEmbedding(encoder, sample_rate=22050, native=True).fit()
    assert embedding.encoder_ is encoder
    path = folder / "00.wav"
    wave, rate = soundfile.read(path)
    assert rate == 22050
    np.testing.assert_allclose(embedding.transform([wave]), embedding.transform([path]), **CLOSE)


def test_it_survives_a_pickle_and_names_its_columns(weights):
    waves, _ = make_waves(3)
    embedding = AudioPGEmbedding(weights).fit(waves)
    again = pickle.loads(pickle.dumps(embedding))
    np.testing.assert_array_equal(again.transform(waves), embedding.transform(waves))
    table = embedding.set_output(transform="pandas").transform(waves)
    assert list(table.columns[:2]) == ["audiopgembedding0", "audiopgembedding1"]
    assert table.shape == (3, 64)


@pytest.mark.parametrize(
    ("settings", "clips", "message"),
    [
        ({"encoder": "nowhere"}, [], "nowhere is not a file"),
        ({"pooling": "max"}, [], "pooling is 'max'"),
        ({}, ["gone.wav"], "gone.wav is not there"),
        ({}, [np.zeros(100, dtype=np.int16)], "is of type int16"),
        ({}, np.zeros(100), r"has shape \(100,\); give \(clips, samples\)"),
        ({"native": True}, [np.zeros(100)], "shorter than one window"),
        (
            {},
            pandas.DataFrame([["a.wav", 1]]),
            r"shape \(1, 2\) was given; give its one column of f",
        ),
        (
            {"encoder": MaskedAutoencoder.preset("micro")},
            [],
            r"is no encoder; give its part \.enco",
        ),
    ],
)
def test_what_cannot_be_embedded_is_refused(weights, settings, clips, message):
    with pytest.raises(InputError, match=message):
        AudioPGEmbedding(**{"encoder": weights} | settings).fit(clips).transform(clips)


def test_waves_that_are_mapped_from_a_file_are_read_a_batch_at_a_time(
    encoder, tmp_path, monkeypatch
):
    waves = 0.1 * np.random.default_rng(0).standard_normal((6, 900)).astype(np.float32)
    np.save(tmp_path / "waves.npy", waves)
    mapped = np.load(tmp_path / "waves.npy", mmap_mode="r")
    batches, embed = [], Encoder.embed

    def noted(self, batch, *options):
        batches.append(batch)
        return embed(self, batch, *options)

    monkeypatch.setattr(Encoder, "embed", noted)
    found = AudioPGEmbedding(encoder, native=True, batch_size=2).fit().transform(mapped)
    assert [len(batch) for batch in batches] == [2, 2, 2]
    assert all(np.shares_memory(batch, mapped) for batch in batches)
    np.testing.assert_allclose(found, embed(encoder, waves, native=True), **CLOSE)
