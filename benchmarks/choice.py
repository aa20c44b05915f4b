"""How much of what the best neurons tell is the luck of the choice?

A neuron that is chosen for telling the most about a factor on some clips tells less on others. But the
estimator also shows less from fewer clips. So the clips are divided in two halves: the best neurons are
chosen on one half, and asked again on the other, which has as many clips. Some clips of the first half
tell what the number of clips does by itself.

    python -m audiopg bench choice --record bench-choice
"""

import torch
from torch import Tensor

from audiopg import LogMel, load_encoder
from audiopg.analysis import clip_factors, controlled_clips, embed_clips, mutual_information
from audiopg.commands.common import untrained_like

CLIPS, DIVISIONS, BEST, FEW = 2500, 10, 10, 400


def chosen(embeddings: Tensor, factor: Tensor) -> dict[str, list[float]]:
    """What the best dimensions of one half tell about a factor, a value for each division of the clips.

    Args:
        embeddings: (clips, dimensions).
        factor: (clips,).

    Returns:
        "as chosen", "on other clips" and "on few of the clips" are means of the best dimensions, in
        nats; "kept" is 1 where the best dimension of all is the best on the other clips, too, else 0.
    """
    generator, found = torch.Generator().manual_seed(0), []
    for _ in range(DIVISIONS):
        one, other = torch.randperm(len(factor), generator=generator).chunk(2)
        first, again = (mutual_information(embeddings[part], factor[part]) for part in (one, other))
        best, few = first.topk(BEST).indices, one[:FEW]
        found.append(
            {
                "as chosen": first[best].mean().item(),
                "on other clips": again[best].mean().item(),
                "on few of the clips": mutual_information(embeddings[few][:, best], factor[few])
                .mean()
                .item(),
                "kept": int(again.argmax() == best[0]),
            }
        )
    return {name: [division[name] for division in found] for name in found[0]}


def main() -> dict:
    """Embed, choose and print; return what a record says."""
    tiny, params = load_encoder("tiny"), controlled_clips(None, CLIPS)
    encoders = {"trained": tiny, "untrained": untrained_like(tiny), "log-mel": LogMel()}
    found: dict[str, dict] = {name: {} for name in encoders}
    for name, encoder in encoders.items():
        embeddings = embed_clips(encoder, params)
        for factor, values in clip_factors(params).items():
            found[name][factor] = chosen(embeddings, values)
            means = {what: sum(v) / len(v) for what, v in found[name][factor].items()}
            print(name, factor, {what: round(mean, 3) for what, mean in means.items()})
    return {
        "settings": {
            "model": "tiny",
            "clips": CLIPS,
            "divisions": DIVISIONS,
            "best": BEST,
            "few": FEW,
        },
        "metrics": found,
        "data": f"{CLIPS} clips synthesized from the 'full' prior, seed 1; no recordings",
        "protocol": f"means of the {BEST} dimensions with the most nats on one half of the clips, by "
        f"Kraskov's estimator of 3 neighbours; a value for each of {DIVISIONS} random divisions in "
        "halves; embeddings that a run before had made and kept are not in the seconds",
    }
