import ast
from pathlib import Path

import pytest
import torch

import audiopg
from audiopg.random import STREAMS, philox4x32, random_words

MODULES = sorted(Path(audiopg.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        # The known answers published with Random123 (Salmon et al., 2011), file kat_vectors.
        ("00000000 00000000 00000000 00000000", "00000000 00000000",
         "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff",
         "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0",
         "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)  # fmt: skip
def test_philox_agrees_with_the_published_vectors(counter, key, words):
    counter, key = ([torch.tensor(int(w, 16)) for w in text.split()] for text in (counter, key))
    assert [f"{int(word):08x}" for word in philox4x32(tuple(counter), tuple(key))] == words.split()


def test_every_part_of_an_address_changes_the_words():
    def words(seed, clip, stream, position):
        numbers = (torch.tensor(n) for n in (seed, clip))
        return [int(w) for w in random_words(*numbers, stream, torch.tensor(position))]

    addresses = [(0, 0, 0, 0)]
    addresses += [tuple(int(i == j) for j in range(4)) for i in range(4)]
    addresses += [(2**32, 0, 0, 0), (0, 2**32, 0, 0), (-1, 0, 0, 0), (0, -1, 0, 0)]
    assert len({tuple(words(*address)) for address in addresses}) == len(addresses)


def test_no_two_streams_have_one_number():
    assert len(set(STREAMS.values())) == len(STREAMS)
    # Every event has a burst with a stream of its own, from this number on.
    assert max(STREAMS.values()) == STREAMS["burst"]


def draws_of(tree):
    """The stream that each call of a generator is given, as code."""
    generators = ("noise", "permutation", "random_words", "uniform")
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [ast.unparse(call.args[2]) for call in calls if ast.unparse(call.func) in generators]


def test_every_draw_of_the_library_has_its_stream_from_the_registry():
    others = [path for path in MODULES if path.name != "random.py"]
    drawn = {path.name: draws_of(ast.parse(path.read_text())) for path in others}
    # The name is that of a parameter that is passed on, and in prior.py of a table of streams.
    strange = {
        (name, stream)
        for name, streams in drawn.items()
        for stream in streams
        if not (stream.startswith("STREAMS[") or stream == "stream")
    }
    assert strange == set()
    # The two of `add_noise` are given as tensors, and are found in the source below.
    assert sum(map(len, drawn.values())) >= 12
    source = "".join(path.read_text() for path in others)
    named = {name for name, number in STREAMS.items() if number > 100}
    assert {name for name in named if f'STREAMS["{name}"]' not in source} == set()


def test_streams_that_runs_rest_on_keep_their_numbers():
    # Those of clips are held by tests/synth/test_fingerprints.py.
    kept = {
        "mask": 201,
        "window": 202,
        "recording_order": 301,
        "recording_start": 302,
        "fold_key": 401,
    }
    kept |= {"epoch_order": 402, "augmentation": 403, "patch_dropout": 404}
    assert {name: STREAMS[name] for name in kept} == kept
