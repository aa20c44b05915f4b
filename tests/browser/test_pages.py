"""Every page of the built book, in a real browser: quiet, at home, readable for all."""

import pytest

PHONE = 390
MOST_BYTES = 5_000_000

# What pushes a page sideways: elements that end beyond it and are not in a box that scrolls.
OVERFLOWING = """() => {
  const width = document.documentElement.clientWidth;
  const boxed = (element) => {
    for (let box = element; box && box !== document.body; box = box.parentElement) {
      const style = getComputedStyle(box);
      if (style.position === "fixed") return true;
      if (box !== element && style.overflowX !== "visible") return true;
    }
    return false;
  };
  return [...document.body.querySelectorAll("*")]
    .filter((element) => {
      const box = element.getBoundingClientRect();
      return box.width && box.right > width + 1 && !boxed(element);
    })
    .map((element) => element.outerHTML.slice(0, 120));
}"""


# What ends before it is all there: equations, tables, figures and captions whose box is too small for
# them. A table or figure may scroll on a phone, in a box that says so and that a keyboard reaches.
CLIPPED = """(mayScroll) => {
  for (const folded of document.querySelectorAll("details")) folded.open = true;
  const overfull = (element) => element.scrollWidth > element.clientWidth + 1;
  const told = (box) => box.matches(".wider[role=region][aria-label]") && box.tabIndex === 0;
  const clipped = [...document.querySelectorAll(
    'mjx-container[display="true"], .bd-article :is(figcaption, caption, td, th), .prev-next-area a'
  )].filter((element) => element.checkVisibility() && overfull(element));
  for (const table of document.querySelectorAll(".bd-article table")) {
    let box = table.parentElement;
    while (getComputedStyle(box).overflowX === "visible" && box !== document.body) box = box.parentElement;
    const wide = table.getBoundingClientRect().width > box.clientWidth + 1;
    if (table.checkVisibility() && wide && !(mayScroll && told(box))) clipped.push(table);
  }
  const figures = "figure.align-default > img, .audiopg-frame:not([hidden], :has(audio)) > img";
  for (const image of document.querySelectorAll(`.bd-article :is(${figures})`)) {
    const wide = image.clientWidth > image.parentElement.clientWidth + 1;
    // Of 11 point at 130 dots an inch, letters of 0.6 of their size have some 12 pixels.
    const legible = image.clientWidth > 0.59 * image.naturalWidth;
    if (!legible || (wide && !(mayScroll && told(image.parentElement)))) clipped.push(image);
  }
  return clipped.map((one) => `${one.tagName}: ${(one.alt || one.textContent).trim().slice(0, 80)}`);
}"""


# Of more than ten lines.
LONG_CODE = """() => [...document.querySelectorAll(".cell_input pre")]
  .filter((code) => code.checkVisibility())
  .map((code) => code.textContent.trim())
  .filter((text) => text.split("\\n").length > 10)"""
BROKEN_IMAGES = """() => [...document.images]
  .filter((image) => image.complete && !image.naturalWidth)
  .map((image) => image.outerHTML.slice(0, 120))"""
UNNAMED = """([what, label]) => [...document.querySelectorAll(what)]
  .filter((one) => !one.getAttribute(label)?.trim())
  .map((one) => one.outerHTML.slice(0, 120))"""


# A page is opened once a setting, and looked at for everything that is to be so there.


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_page_is_whole_and_without_a_barrier(open_page, accessibility, page_name, theme, problems):
    page = open_page(page_name, theme=theme)
    assert page.locator("h1").count() >= 1
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    found = {
        "complaints and other hosts": list(problems),
        "images": page.evaluate(BROKEN_IMAGES),
        "equations": page.locator("mjx-merror, [data-mjx-error]").all_inner_texts(),
    }
    if theme == "dark":
        # The themes differ in their colours alone.
        found["barriers"] = accessibility(page, only=("color-contrast",))
    else:
        found["images that do not say what they are"] = page.evaluate(UNNAMED, ["img", "alt"])
        found["players and sliders that do not"] = page.evaluate(
            UNNAMED, ["audio, input[type=range]", "aria-label"]
        )
        found["barriers"] = accessibility(page)
        if page_name.startswith("notebooks/"):
            assert page.locator(".cell_input pre").count() >= 1
            found["long code that is not folded"] = page.evaluate(LONG_CODE)
        # Last, since it unfolds what is folded.
        found["clipped"] = page.evaluate(CLIPPED, False)
    faults = [f"{what}: {fault}" for what, faults in found.items() for fault in faults]
    assert faults == [], "\n".join(faults)


def test_page_fits_a_phone(open_page, page_name):
    page = open_page(page_name, width=PHONE)
    assert page.evaluate(OVERFLOWING) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE
    assert page.evaluate(CLIPPED, True) == []


def test_page_is_small(html, page_name):
    assert (html / f"{page_name}.html").stat().st_size < MOST_BYTES


def test_front_page_is_the_preface(book, browser):
    page = browser.new_page()
    page.goto(f"{book}/index.html")
    page.wait_for_url("**/book/preface.html")
    page.close()


def test_first_key_leads_to_the_content(open_page):
    page = open_page("book/preface")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent").strip() == "Skip to main content"


def test_search_finds_what_chapters_and_functions_are_about(open_page):
    page = open_page("search")
    for word, expected in (
        ("sawtooth", "The synthesizer"),
        ("aliasing", "Glossary"),
        ("aliasing", "The synthesizer"),
        ("linear_probe", "Transfer"),
    ):
        page.goto(page.url.partition("?")[0] + f"?q={word}")
        found = page.locator("#search-results li a")
        found.first.wait_for()
        assert any(expected in title for title in found.all_inner_texts()), word


def test_search_shows_no_source_of_formulas(open_page):
    page = open_page("search")
    page.goto(f"{page.url.partition('?')[0]}?q=amplitude")
    extracts = page.locator("#search-results li p.context")
    extracts.filter(has_text="…").first.wait_for()
    assert "\\" not in " ".join(extracts.all_inner_texts())


def test_a_page_refuses_other_hosts_and_scripts_that_were_not_in_it(open_page, problems):
    page = open_page("book/preface")
    assert problems == []
    refused = page.evaluate(
        """async () => {
            const refused = [];
            document.addEventListener(
                "securitypolicyviolation", (event) => refused.push(event.effectiveDirective));
            const script = document.createElement("script");
            script.textContent = "window.strange = true";
            document.head.append(script);
            const picture = new Image();
            picture.src = "http://127.0.0.1:9/picture.png";
            await fetch("http://127.0.0.1:9/data.json").catch(() => null);
            await new Promise((ready) => setTimeout(ready));
            return [window.strange ?? null, ...refused.sort()];
        }"""
    )
    assert refused == [None, "connect-src", "img-src", "script-src-elem"]
    # The console tells of the three, and of nothing that left.
    assert problems
    assert all("Content Security Policy" in problem for problem in problems)
    problems.clear()
