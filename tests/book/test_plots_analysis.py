"""The figures of the analyses show the numbers they are given."""

import dataclasses
from itertools import pairwise

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas
import pytest
import torch

from audiopg.analysis import Ablation, SubspaceAngles, filter_growth
from audiopg.book import plots

mpl.use("Agg")


@pytest.fixture(autouse=True)
def style():
    with mpl.rc_context():
        plots.use_style()
        yield
    plt.close("all")


def test_grouped_bars_stand_side_by_side():
    values = {"f0": {"ours": 0.9, "random": 0.7}, "onset": {"ours": 0.4, "random": -0.1}}
    errors = {group: dict.fromkeys(bars, 0.05) for group, bars in values.items()}
    figure = plots.grouped_bars(values, "R²", errors)
    (axis,) = figure.axes
    heights = [bar.get_height() for bar in axis.patches]
    assert heights == [0.9, 0.4, 0.7, -0.1]
    edges = sorted((bar.get_x(), bar.get_x() + bar.get_width()) for bar in axis.patches)
    assert all(left[1] <= right[0] for left, right in pairwise(edges))
    assert [tick.get_text() for tick in axis.get_xticklabels()] == ["f0", "onset"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["ours", "random"]
    colours = [bar.get_facecolor() for bar in axis.patches]
    assert colours[0] == colours[1] != colours[2] == colours[3]
    whiskers = [path for c in axis.collections for path in c.get_segments()]
    np.testing.assert_allclose(np.ptp(whiskers, axis=1)[:, 1], 0.1)
    # No bar is left out in silence.
    with pytest.raises(KeyError, match="random"):
        plots.grouped_bars({"f0": {"ours": 1.0}, "onset": {"ours": 1.0, "random": 1.0}}, "R²")


def test_layer_curves_begin_at_layer_0():
    (axis,) = plots.layer_curves({"deep": torch.arange(5.0), "shallow": [1.0, 2.0]}, "R²").axes
    assert [list(line.get_xdata()) for line in axis.lines] == [[0, 1, 2, 3, 4], [0, 1]]
    np.testing.assert_array_equal(axis.lines[0].get_ydata(), np.arange(5))
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("layer", "R²")


def test_ablation_curves_have_a_panel_a_factor():
    found = Ablation(
        counts=np.array([1, 10]),
        intact=0.9,
        top=np.array([0.7, 0.2]),
        random=np.linspace(0.5, 0.9, 400).reshape(2, 200),
        relearnt=np.array([0.9, 0.8]),
    )
    figure = plots.ablation_curves({"f0": found, "onset": found})
    assert [axis.get_title() for axis in figure.axes] == ["f0", "onset"]
    random, top, relearnt, intact = figure.axes[1].lines
    np.testing.assert_allclose(random.get_ydata(), found.random.mean(axis=1))
    np.testing.assert_array_equal(top.get_ydata(), found.top)
    np.testing.assert_array_equal(relearnt.get_ydata(), found.relearnt)
    assert set(intact.get_ydata()) == {0.9}
    assert figure.axes[0].get_xscale() == "log"
    band = figure.axes[0].collections[0].get_paths()[0].vertices
    low, high = np.quantile(found.random[0], (0.025, 0.975))
    assert {low, high} <= set(band[:, 1].round(12)) | set(band[:, 1])


def test_angles_are_written_in_their_squares():
    angles = np.array([[[5.0, 20.0], [60.0, 80.0]], [[60.0, 80.0], [8.0, 30.0]]])
    found = SubspaceAngles(("f0", "onset"), angles, np.array([75.0, 85.0]))
    figure = plots.angle_matrix(found)
    axis, bar = figure.axes
    np.testing.assert_array_equal(axis.images[0].get_array(), angles[..., 0])
    assert [text.get_text() for text in axis.texts] == ["5°", "60°", "60°", "8°"]
    assert [tick.get_text() for tick in axis.get_yticklabels()] == ["f0", "onset"]
    assert 75.0 in bar.lines[0].get_ydata()
    assert len(bar.lines) == 1
    wide = dataclasses.replace(found, chance_range=np.array([[70.0, 81.0], [79.0, 88.0]]))
    lines = plots.angle_matrix(wide).axes[1].lines
    assert [line.get_ydata()[0] for line in lines] == [75.0, 70.0, 79.0]


def test_growth_is_drawn_over_steps():
    weights = torch.randn(3, 32, 256, generator=torch.Generator().manual_seed(0))
    growth = filter_growth([0, 50, 100], weights, 4, repeats=2)
    above, below = plots.filter_growth(growth).axes
    kept, shuffled = above.lines
    np.testing.assert_array_equal(kept.get_xdata(), [0, 50, 100])
    np.testing.assert_allclose(kept.get_ydata(), growth.concentration.mean(dim=1))
    np.testing.assert_allclose(shuffled.get_ydata(), growth.shuffled.mean(dim=(1, 2)))
    share, likeness = below.lines
    np.testing.assert_allclose(share.get_ydata(), 100 * growth.variance_share.sum(dim=1))
    assert likeness.get_ydata()[-1] == pytest.approx(100)


def test_r2_is_drawn_over_the_clips_heard():
    rows = [
        ("a", 640, "synthesis", 0.5),
        ("b", 64, "synthesis", 0.2),
        ("c", 640, "recordings", 0.4),
        ("random", 0, "nothing", 0.1),
    ]
    names = pandas.Index([row[0] for row in rows], name="embeddings")
    heard = pandas.DataFrame(
        [(clips, of, r2, 0.01) for _, clips, of, r2 in rows],
        index=names,
        columns=["clips heard", "of", "R²", "standard deviation"],
    )
    (axis,) = plots.clips_curves(heard, "R²").axes
    assert axis.get_xscale() == "log"
    drawn = {container.get_label(): container[0].get_xydata() for container in axis.containers}
    np.testing.assert_allclose(drawn["synthesis"], [(64, 0.2), (640, 0.5)])
    np.testing.assert_allclose(drawn["recordings"], [(640, 0.4)])
    level = next(line for line in axis.lines if line.get_label() == "random")
    np.testing.assert_allclose(level.get_ydata(), 0.1)


def test_a_picture_is_webp_and_its_figure_is_closed():
    figure, axis = plt.subplots()
    axis.plot([0, 1])
    picture = plots.picture(figure)
    assert picture[:4] == b"RIFF"
    assert picture[8:12] == b"WEBP"
    assert not plt.fignum_exists(figure.number)
