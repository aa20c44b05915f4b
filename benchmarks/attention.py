"""Attention on a processor: forward and backward, PyTorch's fused attention against plain products.

The sizes are those of one block in a step of 8 clips by `--recipe cpu` (64 visible tokens, 124 in the
decoder) and of whole clips (128 and 512). `audiopg.mae.attention` takes whichever is the faster here.

    python -m audiopg bench attention
"""

import time

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention as fused

from audiopg.environment import provenance
from audiopg.records import write_record

ROUNDS = 7
# Clips, heads, tokens, numbers a head.
SIZES = ((8, 3, 64, 64), (8, 4, 124, 32), (8, 12, 128, 64), (8, 3, 512, 64))


def plain(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """The textbook's two products and a softmax."""
    return ((query * query.shape[-1] ** -0.5) @ key.mT).softmax(dim=-1) @ value


def seconds_of(parts: Tensor, way: object) -> float:
    """The processor's seconds for one pass forward and backward."""
    began = time.process_time()
    query, key, value = parts.detach().requires_grad_()
    way(query, key, value).sum().backward()
    return time.process_time() - began


def main(record: str | None = None) -> None:
    """Print the table; with a name, also write results/NAME.json."""
    began, where, rows = time.perf_counter(), provenance(), {}
    generator = torch.Generator().manual_seed(0)
    print(f"milliseconds of the processor, forward and backward, {where['device']}")
    for size in SIZES:
        parts = torch.randn(3, *size, generator=generator)
        for kind in (torch.float32, torch.bfloat16):
            taken = {fused: [], plain: []}
            for _ in range(ROUNDS):
                for way, seconds in taken.items():
                    seconds.append(seconds_of(parts.to(kind), way))
            # The first round makes memory that later ones use again.
            ours, theirs = (1e3 * min(taken[way][1:]) for way in (plain, fused))
            name = f"{' x '.join(map(str, size))}, {str(kind).removeprefix('torch.')}"
            rows[name] = {"plain": ours, "fused": theirs, "ratio": theirs / ours}
            print(f"  {name:28} plain {ours:6.2f}, fused {theirs:6.2f}, {theirs / ours:4.1f} times")
    if record:
        path = write_record(
            record,
            settings={"rounds": ROUNDS},
            metrics={"milliseconds": rows},
            seconds=time.perf_counter() - began,
            data="random numbers",
            protocol=f"the least processor time of {ROUNDS - 1} rounds after one not counted, both "
            "in turn within each",
            where=where,
        )
        print(f"recorded in {path}")


if __name__ == "__main__":
    main()
