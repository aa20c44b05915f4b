"""The processes that share a run: what they agree on, and how a signal stops them together.

Without ``torch.distributed``, or with one process, every function answers for this process alone.
"""

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from tqdm.auto import tqdm

from audiopg.errors import InputError, Stopped

Value = TypeVar("Value")


def processes() -> tuple[int, int]:
    """The number of this process, from 0, and how many there are."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


@contextmanager
def together() -> Iterator[None]:
    """An error in one process stops all, so that none waits for another that has stopped.

    Raises:
        InputError: with the message of another process. An error of this process is raised as it is.
    """
    own: InputError | OSError | None = None
    try:
        yield
    except (InputError, OSError) as error:
        own = error
    _, world = processes()
    messages = [str(own) if own else None] * world
    if world > 1:
        dist.all_gather_object(messages, messages[0])
    if own:
        raise own
    for message in messages:
        if message:
            raise InputError(message)


def from_first(value: Value) -> Value:
    """What the first process has, in all of them; it is pickled on the way."""
    values = [value]
    if processes()[1] > 1:
        dist.broadcast_object_list(values)
    return values[0]


def agree(loss: Tensor, reasons: Sequence[bool] = ()) -> tuple[float, list[bool]]:
    """The mean loss of all processes, and for each reason whether any process has it."""
    _, world = processes()
    if world == 1:
        return loss.item(), list(reasons)
    joint = torch.cat((loss.reshape(1), loss.new_tensor(reasons)))
    dist.all_reduce(joint)
    total, *counts = joint.tolist()
    return total / world, [count > 0 for count in counts]


@contextmanager
def interruptions() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM in the list yielded, so that they do not interrupt a step.

    The first process says so on stderr. A second signal does interrupt the step, but not under torchrun,
    which passes on to its processes a signal that the terminal has sent them already.
    """
    caught: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield caught  # Signals reach the main thread alone.
        return
    rank, world = processes()

    def catch(number: int, _: object) -> None:
        if caught and world == 1:
            raise Stopped(number)
        caught.append(number)
        # The terminal may be gone, or this may have come while stderr was written.
        with suppress(OSError, RuntimeError):
            if rank == 0 and len(caught) == 1:
                second = "; a second signal stops at once" if world == 1 else ""
                tqdm.write(f"audiopg: finishing this step{second}", file=sys.stderr)

    before = {number: signal.signal(number, catch) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
