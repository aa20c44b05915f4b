"""The laboratory against the library: what the page computes, says, saves and asks for."""

import base64
import json
import wave as wave_files
from itertools import product

import numpy as np
import pytest
import soundfile
import torch
from waiting import wait_until

from audiopg import LogMel, SynthPrior, render
from audiopg.book import widgets
from audiopg.mae import MaskedOutput, reconstruct, training_tokens
from audiopg.pretrained import load_model
from audiopg.synth import EXCITATIONS, read_scene

PAGE = "book/laboratory"
# Arrays come out of the page as base64 of their bytes.
BYTES = """array => {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  let text = "";
  for (let at = 0; at < bytes.length; at += 32768)
    text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return btoa(text);
}"""
DRAWN = """async ([preset, seed, clip]) => {
  const {columns} = await audiopgLaboratory.clip(preset, BigInt(seed), BigInt(clip));
  return Object.fromEntries(Object.entries(columns).map(([name, {type, dims, data}]) =>
    [name, [type, dims, Array.from(data, type === "int64" ? String : Number)]]));
}"""
NO_GPU = "console warning: No available adapters."


@pytest.fixture(autouse=True)
def laboratory(html, problems, open_page):
    """Only where the book holds a laboratory; without a GPU Chromium says so, which is no fault."""
    manifest = html / "_static" / "laboratory" / "manifest.js"
    if not manifest.exists():
        pytest.skip(f"{manifest} is not there; run: make book")
    if '"missing"' in manifest.read_text()[:200]:
        pytest.skip(f"the book was built without the laboratory: {manifest.read_text()[:300]}")
    yield
    problems[:] = [problem for problem in problems if problem != NO_GPU]


def wait_ready(page):
    page.evaluate("() => audiopgLaboratory.ready")
    assert page.inner_text("#lab-status").endswith("ready.")
    return page


@pytest.fixture
def page(open_page):
    return wait_ready(open_page(PAGE))


def start_network(page):
    page.click("#lab-start")
    wait_until(page, "performance.getEntriesByName('read').length > 0")
    return page


def numbers(page, expression, dtype=np.float32):
    """An array of the page, or of a promise there."""
    return np.frombuffer(
        base64.b64decode(page.evaluate(f"async () => ({BYTES})(await ({expression}))")), dtype
    )


def drawn(preset, seed, clip):
    return SynthPrior.preset(preset).sample(torch.tensor([clip]), seed)


def set_value(page, name, value):
    """Type a number into the box of a factor."""
    box = page.locator(f"[data-factor={name}] input[type=number]")
    box.fill(str(value))
    box.press("Enter")


def settle(page, name="slider to pictures"):
    """Wait until pictures have been drawn of something that was turned."""
    wait_until(page, f"performance.getEntriesByName('{name}').length > 0")
    page.evaluate("performance.clearMeasures()")


# What it computes


def test_factors_drawn_are_the_librarys(page):
    for preset, (seed, clip) in product(
        widgets.DRAWN, ((0, 0), (1, 31), (-5, 2**40 + 3), (2**62 + 1, 7))
    ):
        params = drawn(preset, seed, clip)
        _, events, partials = params.partial_weight.shape
        for name, (kind, shape, values) in page.evaluate(
            DRAWN, [preset, str(seed), str(clip)]
        ).items():
            expected = getattr(params, name).numpy()
            dtype = np.int64 if kind == "int64" else np.float64
            found = np.array([int(v) if kind == "int64" else v for v in values], dtype)
            found = found.reshape(shape)
            found = found[:, :events] if found.ndim > 1 else found
            found = found[..., :partials] if found.ndim > 2 else found
            np.testing.assert_array_equal(found, expected, err_msg=f"{preset}: {name}")


def test_sound_and_log_mel_of_clips_are_the_librarys(page):
    front_end = LogMel()
    for preset, clip in [*product(["full"], range(32)), *product(["extended"], range(8))]:
        page.evaluate(
            f"async () => {{ window.made = await audiopgLaboratory.clip('{preset}', 0n, {clip}n) }}"
        )
        expected, about = render(drawn(preset, 0, clip)), f"clip {clip} of {preset}"
        found = numbers(page, "made.wave")
        np.testing.assert_allclose(found, expected[0], rtol=0, atol=1e-3, err_msg=about)
        found = numbers(page, "made.mel").reshape(1024, 128)
        mel = front_end(expected)[0]
        np.testing.assert_allclose(found, mel, rtol=0, atol=1e-3, err_msg=about)


def test_reconstruction_is_the_librarys(page):
    model = load_model("tiny")
    tokens = training_tokens(torch.tensor([4]), 0, 512, model.mask_ratio)[0]
    for clip in (0, 5, 9):
        mel = LogMel()(render(drawn("full", 0, clip)))
        with torch.no_grad():
            prediction = model.decode(model.encoder(mel, tokens), tokens, 512)
        hidden = torch.ones(1, 512, dtype=torch.bool).scatter(1, tokens, False)
        expected = reconstruct(mel, MaskedOutput(torch.tensor(0.0), prediction, hidden))
        found = numbers(
            page,
            f"audiopgLaboratory.clip('full', 0n, {clip}n).then(({{mel}}) => "
            f"audiopgLaboratory.reconstruct(mel, {tokens[0].tolist()}))",
        )
        np.testing.assert_allclose(found.reshape(1, 1024, 128), expected.numpy(), rtol=0, atol=1e-2)


# Knobs


def test_a_slider_is_turned_by_keys_and_everything_follows(page):
    def state():
        return {
            "sound": numbers(page, "audiopgLaboratory.shown.wave"),
            "mel": numbers(page, "audiopgLaboratory.shown.mel"),
            "pictures": [
                page.evaluate(f"document.getElementById('lab-{name}').toDataURL()")
                for name in ("wave", "mel", "spectrum")
            ],
            "link": page.input_value("#lab-link"),
        }

    before = state()
    slider = page.locator("#lab-factor-f0")
    slider.focus()
    page.keyboard.press("PageUp")
    settle(page)
    after = state()
    assert slider.get_attribute("aria-valuetext").endswith(" Hz")
    assert page.inner_text("#lab-play") == "Stop"  # It plays.
    assert after["link"] != before["link"]
    assert not np.array_equal(after["sound"], before["sound"])
    f0 = page.evaluate("audiopgLaboratory.settings.edits.get('f0')")
    expected = render(drawn("full", 0, 0).edit(f0=f0))
    np.testing.assert_allclose(after["sound"], expected[0], rtol=0, atol=1e-3)
    assert all(a != b for a, b in zip(after["pictures"], before["pictures"], strict=True))
    page.keyboard.press("Tab")
    page.keyboard.type("\b" * 8 + "440")
    page.keyboard.press("Enter")
    settle(page)
    assert page.evaluate("audiopgLaboratory.settings.edits.get('f0')") == 440


def test_every_factor_has_a_control_and_those_unheard_are_put_away(page):
    for code, excitation in enumerate(EXCITATIONS):
        page.select_option("#lab-factor-excitation", label=excitation)
        settle(page)
        visible = {
            row.get_attribute("data-factor")
            for row in page.locator("[data-factor]").all()
            if row.is_visible()
        }
        assert ("fm_index" in visible) == (excitation == "fm")
        assert ("partial_count" in visible) == (excitation == "harmonic")
        assert ("band_limited" in visible) == (code >= 2)
        assert {"f0", "onset", "noise_level", "cutoff"} <= visible


def test_what_is_beyond_the_paper_is_turned_and_carried(page, tmp_path):
    assert not page.locator("#lab-beyond").is_visible()
    page.click("#lab-additions > summary")
    assert not page.locator("[data-factor=modulation_rate]").is_visible()
    expected = drawn("full", 0, 0)
    for name, value in (("glide", -1.5), ("modulation_depth", 0.75), ("reverberation_time", 0.25)):
        set_value(page, name, value)
        settle(page)
        turned = getattr(expected, name).clone()
        # The first in time is the second row of the scene.
        turned[(0, 1) if turned.ndim > 1 else 0] = value
        expected = expected.edit(**{name: turned})
    set_value(page, "reverberation_level", 0.5)
    settle(page)
    expected = expected.edit(reverberation_level=0.5)
    assert page.locator("[data-factor=modulation_rate]").is_visible()
    assert not page.locator("[data-factor=modulation_jitter]").is_visible()
    found = numbers(page, "audiopgLaboratory.shown.wave")
    np.testing.assert_allclose(found, render(expected)[0], rtol=0, atol=1e-3)
    link = page.input_value("#lab-link")
    assert "glide.2=-1.5" in link
    assert "reverberation_time=0.25" in link
    with page.expect_download() as download:
        page.click("#lab-save-scene")
    download.value.save_as(tmp_path / "scene.json")
    again = render(read_scene(tmp_path / "scene.json"))
    np.testing.assert_allclose(found, again[0], rtol=0, atol=1e-3)
    page.select_option("#lab-factor-excitation", label="fm")
    settle(page)
    assert not page.locator("[data-factor=formant_1]").is_visible()
    # Nor is the name of a group without knobs.
    assert not page.get_by_text("formants", exact=True).is_visible()


def test_values_out_of_range_are_brought_into_it(page):
    set_value(page, "f0", 10**6)
    settle(page)
    assert page.evaluate("audiopgLaboratory.settings.edits.get('f0')") == 2000
    page.fill("#lab-seed", "three")
    page.press("#lab-seed", "Enter")
    assert 'seed is "three"; give a whole number' in page.inner_text("#lab-status")
    assert page.input_value("#lab-seed") == "0"


def test_surprise_is_a_clip_of_the_prior(page):
    page.click("#lab-surprise")
    settle(page)
    seed, clip = (int(page.input_value(f"#lab-{name}")) for name in ("seed", "clip"))
    assert (seed, clip) != (0, 0)
    expected = render(drawn("full", seed, clip))[0]
    found = numbers(page, "audiopgLaboratory.shown.wave")
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3)


def test_a_link_carries_the_settings(page, open_page):
    page.fill("#lab-clip", "7")
    page.press("#lab-clip", "Enter")
    settle(page)
    # The third in time is the second row of the scene, and of what a link says.
    page.select_option("#lab-event", label="3")
    set_value(page, "onset", 1.25)
    settle(page)
    page.select_option("#lab-factor-excitation", label="square")
    settle(page)
    sound = numbers(page, "audiopgLaboratory.shown.wave")
    link = page.input_value("#lab-link")
    assert "clip=7" in link
    assert "onset.2=1.25" in link
    other = open_page(f"{PAGE}")
    other.goto("about:blank")
    other.goto(link)
    wait_ready(other)
    np.testing.assert_array_equal(numbers(other, "audiopgLaboratory.shown.wave"), sound)
    other.evaluate("location.hash = 'preset=grand&seed=2&f0=-3&onset.9=1'")
    settle(other)
    said = other.inner_text("#lab-status")
    assert "preset=grand, f0=-3, onset.9=1" in said
    assert other.input_value("#lab-seed") == "2"


def test_saved_files_are_the_sound_of_the_page(page, tmp_path):
    page.fill("#lab-seed", str(2**60 + 1))
    page.press("#lab-seed", "Enter")
    settle(page)
    set_value(page, "noise_level", 0.05)
    settle(page)
    saved = []
    for name in ("scene", "sound"):
        with page.expect_download() as download:
            page.click(f"#lab-save-{name}")
        saved.append(tmp_path / download.value.suggested_filename)
        download.value.save_as(saved[-1])
    scene, sound = saved
    assert scene.name == f"full-{2**60 + 1}-00000-edited.json"
    params = read_scene(scene)
    assert int(params.seed) == 2**60 + 1
    shown = numbers(page, "audiopgLaboratory.shown.wave")
    np.testing.assert_allclose(shown, render(params)[0], rtol=0, atol=1e-3)
    heard, rate = soundfile.read(sound, dtype="float32")
    assert rate == 16000
    # To half a step of 16 bits, and a whole one at full scale.
    np.testing.assert_allclose(heard, shown, rtol=0, atol=2**-15)


# The network


def test_patches_are_hidden_by_keys_and_by_painting(page):
    start_network(page)
    assert "384 of 512 patches are hidden, 75 %" in page.inner_text("#lab-hidden")
    page.click("#lab-show")
    wait_until(page, "document.querySelector('#lab-hidden').textContent.startsWith('0 of')")
    mask = page.locator("#lab-mask")
    mask.focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    said = "document.querySelector('#lab-hidden').textContent"
    assert "0.16 s, band 2 of 8: hidden. 1 of 512" in page.evaluate(said)
    mask.scroll_into_view_if_needed()
    box = mask.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 100, middle)
    page.mouse.down()
    # One jump, as of a quick hand: the patches between are painted too.
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.up()
    hidden = page.evaluate("[...audiopgLaboratory.patches.hidden]")
    row = [column for column in range(64) if hidden[8 * column + 4] or hidden[8 * column + 3]]
    assert len(row) > 20
    assert row == list(range(row[0], row[-1] + 1))
    wait_until(page, "!audiopgLaboratory.thought.busy")
    # What is said has become shorter, and the canvas has not moved under the pointer.
    assert mask.bounding_box() == box
    mel = numbers(page, "audiopgLaboratory.shown.mel").reshape(64, 16, 8, 16)
    made = numbers(page, "audiopgLaboratory.thought.reconstruction").reshape(64, 16, 8, 16)
    changed = (mel != made).any(axis=(1, 3))
    assert changed[1, 1]
    count = int(page.inner_text("#lab-hidden").split()[0])
    assert changed.sum() == count


def test_the_network_reads_what_moves(page):
    start_network(page)
    table = page.locator("#lab-read-outs")
    for f0 in (100, 1800):
        set_value(page, "f0", f0)
        wait_until(
            page,
            "document.querySelector('#lab-read-outs td').textContent"
            f" === '{f0 if f0 < 1000 else 1800} Hz'",
        )
        assert len(table.locator("tr").all()) == 3
    page.select_option("#lab-neuron", "11")
    wait_until(page, "document.querySelector('#lab-cloud').ariaLabel.startsWith('Neuron 11 ')")
    page.select_option("#lab-against", "2")
    assert "onset" in page.get_attribute("#lab-cloud", "aria-label")


def test_a_reconstruction_is_played(page):
    start_network(page)
    page.click("#lab-play-reconstruction")
    wait_until(page, "document.querySelector('#lab-play-reconstruction').textContent === 'Stop'")
    sound = numbers(page, "audiopgLaboratory.thought.played")
    assert len(sound) == 163840
    assert 0.01 < np.abs(sound).max() <= 1


# A file of one's own


@pytest.fixture
def recordings(tmp_path):
    """Files by name: a good one, and one for each way not to be."""
    rate = 44100
    time = np.arange(2 * rate) / rate
    tone = 0.5 * np.sin(2 * np.pi * 440 * time)
    good = tmp_path / "good.wav"
    soundfile.write(good, np.stack((tone, 0 * tone), axis=1), rate)
    silent = tmp_path / "silent.wav"
    soundfile.write(silent, 0 * tone, rate)
    short = tmp_path / "short.wav"
    soundfile.write(short, tone[: rate // 200], rate)
    damaged = tmp_path / "damaged.wav"
    damaged.write_bytes(np.random.default_rng(0).bytes(5000))
    long = tmp_path / "long.wav"
    with wave_files.open(str(long), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(b"\x80\x90" * (3600 * 4000))
    return {path.stem: path for path in (good, silent, short, damaged, long)}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("damaged", "damaged.wav is damaged, or in a format that this browser cannot decode"),
        ("silent", "silent.wav is silent; there is nothing to hear in it"),
        ("short", "short.wav lasts 5 ms; the network's shortest frame is 25 ms"),
        ("long", "long.wav lasts 60 minutes; the laboratory takes at most 10 minutes"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_reason(page, recordings, name, message):
    before = numbers(page, "audiopgLaboratory.shown.wave")
    page.set_input_files("#lab-file", recordings[name])
    wait_until(
        page,
        "document.querySelector('#lab-file-status').textContent.length > 0 &&"
        " !document.querySelector('#lab-file-status').textContent.startsWith('Reading')",
    )
    assert message in page.inner_text("#lab-file-status")
    np.testing.assert_array_equal(numbers(page, "audiopgLaboratory.shown.wave"), before)


def test_a_recording_becomes_the_sound_of_the_page(page, recordings):
    page.set_input_files("#lab-file", recordings["good"])
    wait_until(page, "performance.getEntriesByName('read').length > 0")
    assert "good.wav, 2.0 s, is now the sound of this page" in page.inner_text("#lab-file-status")
    found = numbers(page, "audiopgLaboratory.shown.wave")
    # Both channels mixed, resampled, and repeated every two seconds; edges ring.
    time = np.arange(len(found)) / 16000 % 2
    inner = (time > 0.01) & (time < 1.99)
    expected = 0.25 * np.sin(2 * np.pi * 440 * time)
    np.testing.assert_allclose(found[inner], expected[inner], rtol=0, atol=2e-3)
    mel = LogMel()(torch.from_numpy(found.copy())[None])[0]
    shown = numbers(page, "audiopgLaboratory.shown.mel").reshape(1024, 128)
    np.testing.assert_allclose(shown, mel, rtol=0, atol=1e-3)
    assert page.locator("#lab-nearest li").count() == 4
    assert page.locator("#lab-read-outs td").first.inner_text() == "unknown"
    page.locator("#lab-nearest button").first.click()
    wait_until(page, "document.querySelector('#lab-nearest button').textContent === 'Stop'")
    page.evaluate("performance.clearMeasures()")  # Of the recording's own pictures.
    nearest = page.locator("#lab-nearest a").first
    link = nearest.get_attribute("href")
    nearest.click()
    settle(page)
    assert page.evaluate("audiopgLaboratory.shown.recording === null")
    seed, clip = (page.input_value(f"#lab-{name}") for name in ("seed", "clip"))
    assert link == f"#preset=full&seed={seed}&clip={clip}"
    expected = render(drawn("full", int(seed), int(clip)))[0]
    found = numbers(page, "audiopgLaboratory.shown.wave")
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3)


# The page


def test_the_page_works_from_a_folder(browser, html):
    page = browser.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((html / f"{PAGE}.html").as_uri())
    wait_ready(page)
    found = numbers(page, "audiopgLaboratory.shown.wave")
    np.testing.assert_allclose(found, render(drawn("full", 0, 0))[0], rtol=0, atol=1e-3)
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    page.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_stands_in_the_way_when_everything_is_shown(
    open_page, accessibility, recordings, width, theme
):
    page = wait_ready(open_page(PAGE, width=width, theme=theme))
    page.set_input_files("#lab-file", recordings["good"])
    wait_until(page, "performance.getEntriesByName('read').length > 0")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert accessibility(page) == []


def test_parts_are_small_and_listed(html):
    folder = html / "_static" / "laboratory"
    text = (folder / "manifest.js").read_text()
    about = json.loads(text[text.index("(") + 1 : text.rindex(")")])
    files = {path.stem: path.stat().st_size for path in folder.iterdir()}
    manifest = files.pop("manifest")
    assert about["sizes"] == files
    assert sum(files.values()) + manifest < 40_000_000


def test_a_book_without_the_engine_says_so(browser, book):
    page = browser.new_page()
    page.route(
        "**/laboratory/manifest.js",
        lambda route: route.fulfill(
            content_type="text/javascript", body='audiopgLaboratory.begin({"missing": "no npm"});'
        ),
    )
    page.goto(f"{book}/{PAGE}.html")
    page.evaluate("() => audiopgLaboratory.ready")
    assert "not part of this copy of the book: no npm" in page.inner_text("#lab-status")
    (box,) = page.locator("#lab-status.lab-absent").all()
    assert box.evaluate("box => getComputedStyle(box).borderTopWidth") == "2px"
    assert not page.locator("#lab-sound").is_visible()
    page.close()
