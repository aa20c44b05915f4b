"""Draw the logo and the icon of the book: the loudness of one synthetic clip, as bars.

Written to book/_static/ by ``python book/logo.py``.
"""

from pathlib import Path

import torch

import audiopg
from audiopg.environment import atomic_path

STATIC = Path(__file__).parent / "_static"
# Several events, long and short: recognisable at the size of a thumb.
CLIP = torch.tensor([28])
# The blue of the palette, and its light sister for dark pages.
BLUE, LIGHT_BLUE = "#0072b2", "#56b4e9"
STEP, WIDTH, HEIGHT = 6, 4, 64
# A dot, where the clip is silent.
LEAST = WIDTH / HEIGHT


def loudness(bars: int) -> torch.Tensor:
    """The clip's root mean square in equal stretches of time, the loudest 1: (bars,)."""
    wave = audiopg.render(audiopg.SynthPrior.preset("full").sample(CLIP, seed=0))[0]
    stretches = wave[: len(wave) // bars * bars].view(bars, -1)
    level = stretches.square().mean(1).sqrt()
    return level / level.max()


def picture(levels: torch.Tensor, attributes: str, style: str = "") -> str:
    """Rounded bars about a middle line, as SVG."""
    middle = HEIGHT / 2
    bars = []
    for place, level in enumerate(levels.tolist()):
        x = STEP * place + STEP / 2
        half = (HEIGHT - WIDTH) / 2 * max(level, LEAST)
        bars.append(f"M{x:g} {middle - half:.1f}v{2 * half:.1f}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {STEP * len(levels)} {HEIGHT}">'
        f'{style}<path {attributes} fill="none" stroke-width="{WIDTH}" stroke-linecap="round" '
        f'd="{"".join(bars)}"/></svg>\n'
    )


def main() -> None:
    """Write logo-light.svg, logo-dark.svg and favicon.svg."""
    # An icon stands on the browser's ground, which follows the system.
    follows = (
        f"<style>path{{stroke:{BLUE}}}"
        f"@media(prefers-color-scheme:dark){{path{{stroke:{LIGHT_BLUE}}}}}</style>"
    )
    pictures = {
        "logo-light": picture(loudness(24), f'stroke="{BLUE}"'),
        "logo-dark": picture(loudness(24), f'stroke="{LIGHT_BLUE}"'),
        "favicon": picture(loudness(10), "", follows),
    }
    for name, drawn in pictures.items():
        with atomic_path(STATIC / f"{name}.svg") as path:
            path.write_text(drawn)


if __name__ == "__main__":
    main()
