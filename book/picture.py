"""Draw the picture of the README and the preface: one clip in each of the four curricula.

Written to book/_static/spectrograms.png by ``python book/picture.py``.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import torch

import audiopg
from audiopg.book.plots import PALETTE
from audiopg.environment import atomic_path
from audiopg.synth import PRESETS

PICTURE = Path(__file__).parent / "_static" / "spectrograms.png"
# Three events with well separated partials, so that what each curriculum adds is easy to see.
CLIP = torch.tensor([7])


def main() -> None:
    """Synthesize the clip and draw its log-mel spectrograms in a square, on one colour scale."""
    log_mel = audiopg.LogMel()
    # As wide as a phone shows whole.
    figure, axes = plt.subplots(2, 2, figsize=(4.95, 3.1), layout="constrained")
    for axis, name in zip(axes.flat, PRESETS, strict=True):
        params = audiopg.SynthPrior.preset(name).sample(CLIP, seed=0)
        mel = log_mel(audiopg.render(params))[0]
        axis.imshow(mel.T, origin="lower", aspect="auto", cmap="magma", vmin=-2, vmax=2.5)
        axis.set_title(name, color=PALETTE["grey"], fontsize=12)
        axis.set_axis_off()
    with atomic_path(PICTURE) as path:
        figure.savefig(path, format="png", dpi=120, transparent=True)


if __name__ == "__main__":
    main()
