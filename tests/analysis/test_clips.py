"""Controlled clips, their factors, and the embeddings that are kept."""

import math
import shutil
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from audiopg import Encoder, InputError, LogMel, MaskedAutoencoder, SynthPrior, render
from audiopg.analysis import (
    FACTORS,
    clip_factors,
    clips,
    controlled_clips,
    embed_clips,
    short_clips,
)
from audiopg.environment import cache_folder
from audiopg.synth import EXCITATIONS, signal_to_noise
from audiopg.synth.additions import noise_band
from audiopg.transfer import log_mel_statistics


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AUDIOPG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def renders(monkeypatch):
    """How many clips are rendered, batch by batch."""
    counts = []

    def counting(params):
        counts.append(len(params))
        return render(params)

    monkeypatch.setattr(clips, "render", counting)
    return counts


def test_all_factors_move_as_in_the_prior():
    params = controlled_clips(None, 6, seed=4)
    expected = SynthPrior.preset("full").sample(torch.arange(6), 4)
    assert torch.equal(params.f0, expected.f0)
    factors = clip_factors(params)
    assert list(factors) == list(FACTORS)
    for row in range(6):
        events = int(params.event_count[row])
        assert factors["onset"][row] == params.onset[row, :events].min()
    torch.testing.assert_close(factors["log f0"].exp2(), params.f0[:, 0])
    torch.testing.assert_close(factors["relative intensity"], signal_to_noise(params))


@pytest.mark.parametrize("moving", list(FACTORS))
def test_one_factor_moves_and_the_others_are_held(moving):
    params = controlled_clips(moving, 5, seed=2)
    factors = clip_factors(params)
    spreads = {name: (values.max() - values.min()).item() for name, values in factors.items()}
    assert spreads[moving] > 0.5
    held = max(spread for name, spread in spreads.items() if name != moving)
    # The power of a source varies a little with its frequency; its onset is rounded to samples.
    assert held < (2.0 if moving == "log f0" else 0.01)
    assert (params.event_count == 1).all()


def test_embeddings_are_those_of_the_encoder_and_are_kept(cache, renders):
    params, encoder = controlled_clips(None, 5), Encoder.preset("micro", seed=1)
    found = embed_clips(encoder, params, batch_size=2, progress=False)
    torch.testing.assert_close(found, encoder.embed(render(params)), atol=1e-5, rtol=1e-4)
    # For the key the first clips of every kind, one by one.
    assert renders == [1] * (len(renders) - 3) + [2, 2, 1]
    assert len(renders) <= 3 + 5
    assert len(list(cache.glob("embeddings/*.safetensors"))) == 1
    renders.clear()
    assert torch.equal(embed_clips(encoder, params, progress=False), found)
    assert set(renders) == {1}


def test_a_run_that_is_killed_loses_one_part_at_most(cache, monkeypatch):
    monkeypatch.setattr(clips, "_KEPT_CLIPS", 2)
    params, encoder = controlled_clips(None, 7), Encoder.preset("micro", seed=1)
    rendered = []

    def rendering(fail_at):
        def renders(params):
            # The first clip of each kind is rendered at every call, for the key.
            if params.clip[0] == fail_at:
                raise KeyboardInterrupt
            rendered.append(params.clip.tolist())
            return render(params)

        return renders

    monkeypatch.setattr(clips, "render", rendering(fail_at=4))
    with pytest.raises(KeyboardInterrupt):
        embed_clips(encoder, params, progress=False)
    of_key = [[0], [1], [2]]
    assert rendered == [*of_key, [0, 1], [2, 3]]
    rendered.clear()
    monkeypatch.setattr(clips, "render", rendering(fail_at=None))
    found = embed_clips(encoder, params, progress=False)
    assert rendered == [*of_key, [4, 5], [6]]
    torch.testing.assert_close(found, encoder.embed(render(params)), atol=1e-5, rtol=1e-4)
    # Fewer clips of the same seed are among them, where they fill the same parts.
    rendered.clear()
    assert torch.equal(embed_clips(encoder, params[:4], progress=False), found[:4])
    assert rendered == of_key
    layers = embed_clips(encoder, params, layers=True, progress=False)
    torch.testing.assert_close(layers[-1], found)


def test_half_precision_is_that_of_autocast_and_is_kept_apart(cache):
    params, encoder = controlled_clips(None, 3), Encoder.preset("micro", seed=1)
    whole = embed_clips(encoder, params, progress=False)
    with torch.autocast("cpu", torch.bfloat16):
        half = embed_clips(encoder, params, progress=False)
    assert half.dtype == torch.float32
    assert not torch.equal(half, whole)
    # Eight bits of a number in each of two blocks; the embedding is of the order of 1.
    torch.testing.assert_close(half, whole, atol=0.05, rtol=0.05)
    assert len(list(cache.glob("embeddings/*.safetensors"))) == 2


def test_short_clips_lie_within_their_length():
    params = short_clips(200, 2.0, seed=3)
    assert (params.event_count == 1).all()
    assert (params.onset[:, 0] + params.length[:, 0] <= 2.0 + 1e-9).all()
    assert params.length[:, 0].min() >= 0.5
    assert params.length[:, 0].max() <= 1.2
    factors = clip_factors(params)
    # Onsets reach over most of what the lengths leave, and the other factors move as in the prior.
    assert factors["onset"].min() < 0.1
    assert factors["onset"].max() > 1.0
    assert factors["log f0"].max() - factors["log f0"].min() > 4
    wave = render(params[:20])
    early, late = wave[:, :32_000].square().mean(dim=1), wave[:, 32_000:].square().mean(dim=1)
    assert (early > 2 * late).all()
    for seconds in (0.5, 11.0, math.nan, None, "3", True):
        with pytest.raises(InputError, match=r"seconds is .*; give a number from 1 to 10\.24"):
            short_clips(5, seconds)


def test_another_encoder_clip_or_code_is_another_embedding(cache, renders, monkeypatch):
    params, encoder = controlled_clips(None, 3), Encoder.preset("micro", seed=1)
    louder = params.edit(noise_level=0.5)
    other = Encoder.preset("micro", seed=1)
    other.blocks[1].mlp[0].bias[7] += 1e-3
    calls = [(encoder, params), (encoder, params[:2]), (encoder, louder), (other, params)]
    for who, which in calls:
        embed_clips(who, which, progress=False)
    monkeypatch.setattr(Encoder, "embed", lambda self, wave: torch.ones(len(wave), 2))
    assert embed_clips(encoder, params, progress=False).tolist() == [[1, 1]] * 3
    assert len(list(cache.glob("embeddings/*.safetensors"))) == 5


def test_a_front_end_gives_the_statistics_of_log_mel():
    params = controlled_clips(None, 4)
    found = embed_clips(LogMel(), params, progress=False)
    torch.testing.assert_close(found, log_mel_statistics(LogMel()(render(params))))
    plain = embed_clips(LogMel(0.0, 1.0), params, progress=False)
    assert not torch.equal(plain, found)
    with pytest.raises(InputError, match="no layers"):
        embed_clips(LogMel(), params, layers=True)


@pytest.mark.parametrize("class_token", [True, False])
def test_layers_end_at_the_embedding(class_token):
    params = controlled_clips(None, 3)
    encoder = MaskedAutoencoder.preset("micro", class_token=class_token).encoder.eval()
    layers = embed_clips(encoder, params, layers=True, progress=False)
    assert layers.shape == (3, 3, 64)
    torch.testing.assert_close(layers[-1], embed_clips(encoder, params, progress=False))
    mel = encoder.log_mel(render(params))
    seen = []
    hook = encoder.blocks[0].register_forward_hook(lambda block, given, made: seen.append(made))
    encoder(mel)
    hook.remove()
    torch.testing.assert_close(layers[1], seen[0][:, int(class_token) :].mean(dim=1).detach())
    tokens = encoder.tokens(mel)[:, int(class_token) :].detach()
    torch.testing.assert_close(layers[0], tokens.mean(dim=1))


def test_a_damaged_embedding_is_made_again(cache):
    params = controlled_clips(None, 3)
    found = embed_clips(LogMel(), params, progress=False)
    (path,) = cache.glob("embeddings/*.safetensors")
    whole = path.read_bytes()
    flipped = bytes([whole[-3] ^ 1])
    # Half a file, one of which a single bit has changed, and one of before they said a fingerprint.
    for content in (whole[:40], whole[:-3] + flipped + whole[-2:]):
        path.write_bytes(content)
        assert torch.equal(embed_clips(LogMel(), params, progress=False), found)
        assert path.read_bytes() == whole
    save_file({"embeddings": found + 1}, path)
    assert torch.equal(embed_clips(LogMel(), params, progress=False), found + 1)


def test_a_cache_that_cannot_be_written_stops_no_analysis(cache, monkeypatch):
    params = controlled_clips(None, 2)
    expected = embed_clips(LogMel(), params, progress=False)
    shutil.rmtree(cache)
    cache.write_text("a file where a folder should be")
    said = (
        r"cache cannot be written \((File exists|Not a directory)\); mend that. .* anew every time"
    )
    with pytest.warns(UserWarning, match=said):
        assert torch.equal(embed_clips(LogMel(), params, progress=False), expected)
    monkeypatch.setenv("AUDIOPG_CACHE", "~there-is-no-such-user")
    with pytest.warns(UserWarning, match=r"begins with a home folder, .* anew every time; AUDIOPG"):
        assert torch.equal(embed_clips(LogMel(), params, progress=False), expected)


def test_the_cache_lies_where_the_environment_says(monkeypatch, tmp_path):
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("AUDIOPG_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg/audiopg"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache/audiopg"


def test_refuses_unknown_factors_and_no_clips():
    with pytest.raises(InputError, match="moving is 'timbre'"):
        controlled_clips("timbre")


@pytest.mark.parametrize("clips", [0, -1, 1.5, math.nan, math.inf, True, None, "5", [3], 3j])
@pytest.mark.parametrize("of", [controlled_clips, short_clips])
def test_what_is_no_number_of_clips_is_refused(of, clips):
    with pytest.raises(InputError, match=r"clips is .*; give a whole number, 1 or more"):
        of(clips=clips)


def test_relative_intensity_is_kept_too(monkeypatch):
    params, asked = controlled_clips(None, 5), []
    before = clip_factors(params)["relative intensity"]
    counted = lambda some: asked.append(len(some)) or signal_to_noise(some)  # noqa: E731
    monkeypatch.setattr(clips, "signal_to_noise", counted)
    assert torch.equal(clip_factors(params)["relative intensity"], before)
    # For the key the first clips of every kind.
    assert asked == [3]


@pytest.mark.parametrize("changed", ["excitation", "addition"])
def test_a_change_of_what_only_later_clips_sound_is_noticed(monkeypatch, changed):
    params = SynthPrior.preset("full", excitation=("harmonic",)).sample(range(3), 0)
    later = torch.tensor([[0.0], [1.0], [1.0]])
    square, rendering = EXCITATIONS.rows["square"], import_module("audiopg.synth.render")
    if changed == "excitation":
        quieter = replace(square, tone=lambda cycles: square.tone(cycles) / 10)
        params = params.edit(excitation=3 * later, band_limited=False)
        change = partial(monkeypatch.setitem, EXCITATIONS.rows, "square", quieter)
    else:
        quieter = lambda *given: noise_band(*given) / 10  # noqa: E731
        params = params.edit(noise_share=later)
        change = partial(monkeypatch.setattr, rendering, "noise_band", quieter)

    def found():
        factors = clip_factors(params)
        return zip(factors["relative intensity"], embed_clips(LogMel(), params), strict=True)

    before = list(found())
    change()
    equal = [all(map(torch.equal, *pair)) for pair in zip(before, found(), strict=True)]
    assert equal == [True, False, False]
