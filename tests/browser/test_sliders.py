"""Sliders that need no kernel: each place shows a picture of its own and plays its own sound."""

import pytest
import torch
from waiting import wait_until

from audiopg.synth import SynthPrior

# What the reader of a slider is told, sees, and would hear.
STATE = """sweep => {
  const visible = [...sweep.querySelectorAll(".audiopg-frame")].filter((f) => f.checkVisibility());
  const one = visible.length === 1 ? visible[0] : null;
  return {
    frames: visible.length,
    reading: sweep.querySelector("output").textContent,
    spoken: sweep.querySelector("input").getAttribute("aria-valuetext"),
    picture: one?.querySelector("img")?.src,
    sound: one?.querySelector("audio")?.src,
  };
}"""
PLAYING = """sweep => [...sweep.querySelectorAll("audio")]
  .map((audio, place) => [place, !audio.paused]).filter(([_, on]) => on).map(([place]) => place)"""
STARTED = "given[0].querySelectorAll('audio')[given[1]].currentTime > 0"


def sliders(page):
    return page.locator(".audiopg-sweep")


def test_the_first_chapter_has_sliders(open_page):
    assert sliders(open_page("notebooks/01_synthesizer")).count() >= 2


def test_each_place_of_a_slider_is_seen_heard_and_told(html, open_page, page_name):
    if "audiopg-sweep" not in (html / f"{page_name}.html").read_text():
        return
    page = open_page(page_name)
    for sweep in sliders(page).all():
        slider = sweep.locator("input")
        places = int(slider.get_attribute("max")) + 1
        slider.focus()
        page.keyboard.press("Home")
        states = [sweep.evaluate(STATE)]
        for _ in range(places - 1):
            page.keyboard.press("ArrowRight")
            states.append(sweep.evaluate(STATE))
        assert all(state["frames"] == 1 for state in states)
        assert all(state["reading"] == state["spoken"] for state in states)
        for what in ("reading", "picture"):
            assert len({state[what] for state in states}) == places, what
        # A slider of figures alone has no sound at any place.
        assert len({state.get("sound") for state in states}) in (1, places)
        assert all("sound" in state for state in states) or not any("sound" in s for s in states)


@pytest.mark.parametrize("start", [0, 1])
def test_a_playing_slider_goes_on_with_the_sound_of_its_new_place(open_page, start):
    page = open_page("notebooks/01_synthesizer")
    sweep = sliders(page).first
    slider = sweep.locator("input")
    slider.focus()
    page.keyboard.press("Home")
    for _ in range(start):
        page.keyboard.press("ArrowRight")
    assert sweep.evaluate(PLAYING) == []
    sweep.evaluate("(sweep, place) => sweep.querySelectorAll('audio')[place].play()", start)
    page.keyboard.press("ArrowRight")
    wait_until(page, STARTED, [sweep.element_handle(), start + 1])
    assert sweep.evaluate(PLAYING) == [start + 1]


def test_a_slider_of_a_clip_starts_at_its_own_value_and_has_the_steps_of_a_glide(open_page):
    page = open_page("notebooks/01_synthesizer")
    params = SynthPrior.preset("full").sample(torch.tensor([1]), seed=0)
    for sweep, own in zip(sliders(page).all(), (params.f0[0, 0], params.cutoff[0]), strict=True):
        slider = sweep.locator("input")
        assert int(slider.get_attribute("max")) >= 10
        assert float(sweep.locator("output").inner_text().split()[0]) == float(f"{own:.4g}")


def test_a_slider_that_was_played_plays_at_every_move_until_it_is_paused(open_page):
    page = open_page("notebooks/01_synthesizer")
    sweep = sliders(page).first
    slider = sweep.locator("input")
    slider.focus()
    place = int(slider.input_value())
    sweep.evaluate("(sweep, place) => sweep.querySelectorAll('audio')[place].play()", place)
    wait_until_playing(page, sweep, place)
    # It comes to its end.
    sweep.evaluate(
        """(sweep, place) => new Promise((done) => {
          const audio = sweep.querySelectorAll("audio")[place];
          audio.addEventListener("ended", done);
          audio.currentTime = audio.duration - 0.01;
        })""",
        place,
    )
    assert sweep.evaluate(PLAYING) == []
    page.keyboard.press("ArrowRight")
    wait_until_playing(page, sweep, place + 1)
    sweep.evaluate(
        """(sweep, place) => new Promise((done) => {
          const audio = sweep.querySelectorAll("audio")[place];
          audio.addEventListener("pause", () => setTimeout(done));
          audio.pause();
        })""",
        place + 1,
    )
    page.keyboard.press("ArrowRight")
    assert sweep.evaluate(PLAYING) == []


def wait_until_playing(page, sweep, place):
    wait_until(page, STARTED, [sweep.element_handle(), place])
    assert sweep.evaluate(PLAYING) == [place]
