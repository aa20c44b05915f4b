"""Print the book to one PDF, _build/audiopg.pdf: all chapters on one page, printed by chromium.

The page is made from the outputs that ``make book`` has kept, and lies in _build/singlehtml.
"""

import shutil
import sys
from pathlib import Path

from jupyter_book.cli.main import main as jupyter_book
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
PDF = ROOT / "_build" / "audiopg.pdf"
MARGINS = {"top": "18mm", "bottom": "18mm", "left": "16mm", "right": "16mm"}
FOOTER = (
    '<div style="width:100%;font-size:8px;text-align:center"><span class="pageNumber"></span></div>'
)
# What a page shows when it is turned or opened by hand.
OPEN = """async () => {
  for (const closed of document.querySelectorAll("details")) closed.open = true;
  await window.MathJax.startup.promise;
  await document.fonts.ready;
}"""


def main() -> int:
    """Build the page, print it, and say where it is; returns the exit status."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("No chromium on this machine; on Debian: apt install chromium.", file=sys.stderr)
        return 1
    jupyter_book(
        ["build", "--builder", "singlehtml", "--warningiserror", "--keep-going", str(ROOT)],
        standalone_mode=False,
    )
    # Its addresses are those of a page at the top, though Sphinx puts it where the preface is.
    folder = ROOT / "_build" / "singlehtml"
    page_file = (folder / "book" / "preface.html").replace(folder / "index.html")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.emulate_media(media="print", color_scheme="light")
        page.goto(page_file.as_uri())
        page.evaluate(OPEN)
        page.pdf(
            path=PDF,
            format="A4",
            margin=MARGINS,
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=FOOTER,
            tagged=True,
            outline=True,
        )
        browser.close()
    print(f"The PDF is ready: {PDF}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
