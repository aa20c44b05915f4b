"""Waiting for a page, in a way that the page's own policy allows.

Playwright's ``wait_for_function`` evaluates a text in the page again and again, which the content
security policy of the book refuses. Here the page is asked once, and answers when it is ready.
"""

from playwright.sync_api import Page

# Half an hour, in milliseconds: a page that is merely slow is waited for.
PATIENCE = 1_800_000


def wait_until(page: Page, condition: str, argument: object = None) -> None:
    """Wait until an expression of ``given``, in JavaScript, is true.

    Args:
        page: that is open.
        condition: the expression.
        argument: ``given``, a handle or what can be written as JSON.
    """
    page.evaluate(
        f"""async ([given]) => {{
            const end = performance.now() + {PATIENCE};
            while (!({condition})) {{
                if (performance.now() > end) throw new Error("waited in vain");
                await new Promise((next) => setTimeout(next, 20));
            }}
        }}""",
        [argument],
    )
