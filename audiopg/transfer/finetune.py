"""Fine-tuning: the encoder and a linear layer on its averaged tokens, trained as one (Section 4.1).

Every test fold is tested once, after the last epoch: no epoch, seed or setting is chosen on it. To
choose settings, ``validate`` holds out a training fold instead. A run is the same, to the bit on a
CPU, however often it is killed and resumed. Settings are in `audiopg.transfer.recipes`; the tasks of
a run, with their files and results, in `audiopg.transfer.tasks`.
"""

import copy
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.optim import AdamW
from tqdm.auto import tqdm

from audiopg import environment
from audiopg._types import AnyPath
from audiopg.datasets import LabelledClips
from audiopg.errors import InputError, resumable
from audiopg.frontend import PATCH, LogMel
from audiopg.inputs import require_kind
from audiopg.mae import ARCHITECTURES, BANDS, Encoder
from audiopg.pretrained import as_encoder
from audiopg.runs import add_metrics, note_sitting, require_utf8, run_folder
from audiopg.transfer import augment, tasks
from audiopg.transfer.recipes import FINETUNE_RECIPES, FinetuneSettings, learning_rate_at
from audiopg.transfer.spectrograms import Spectrograms, log_mels, padding_behind, patches_of
from audiopg.transfer.tasks import FinetuneResult, Outcome, Task, read_result, read_run
from audiopg.transfer.waves import Waves, as_clips, batches_by_length, require_windows

__all__ = [
    "FINETUNE_RECIPES", "Classifier", "FinetuneResult", "FinetuneSettings", "epoch_draws",
    "finetune", "learning_rate_at", "read_result", "read_run", "training_batch",
]  # fmt: skip


class Classifier(nn.Module):
    """An encoder, the mean of its patch tokens, and a linear layer of zeros (Section 4.1).

    The layer begins at zero as in Dosovitskiy et al. (2021): no class is preferred at first, and
    random weights do not disturb the encoder.

    Args:
        encoder: kept, not copied.
        n_classes: outputs.
    """

    def __init__(self, encoder: Encoder, n_classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.dimensions, n_classes, dtype=torch.float32)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(
        self,
        mel: Tensor,
        n_patches: Tensor | None = None,
        visible: Tensor | None = None,
        drop_path: Tensor | None = None,
    ) -> Tensor:
        """Class scores of clips, each from its own patches alone.

        Args:
            mel: (B, T, 128), standardised.
            n_patches: (B,) int64, how many of its patches belong to the clip, from the first on; the
                rest are neither attended to nor averaged. None for all.
            visible: (B, V) int64, the patches seen, of which ``n_patches`` counts; None for all.
            drop_path: (depth, 2, B, 1, 1), see `stochastic_depth`; None for every branch.

        Returns:
            (B, classes).
        """
        x = self.encoder.tokens(mel, visible)
        first = int(self.encoder.architecture.class_token)
        attention_mask = None
        if n_patches is not None:
            attention_mask = torch.arange(x.shape[1], device=x.device) < n_patches[:, None] + first
        for index, block in enumerate(self.encoder.blocks):
            attention, perceptron = (1, 1) if drop_path is None else drop_path[index]
            x = x + attention * block.attend(x, attention_mask)
            x = x + perceptron * block.mlp(block.mlp_norm(x))
        x = self.encoder.norm(x)[:, first:]
        if n_patches is None:
            return self.head(x.mean(dim=1))
        return self.head((x * attention_mask[:, first:, None]).sum(dim=1) / n_patches[:, None])


@dataclass(frozen=True)
class _Heard:
    """The clips as a classifier takes them; ``targets`` are (clips, classes) float32, 0 or 1."""

    settings: FinetuneSettings
    mels: Spectrograms
    targets: Tensor
    multi_label: bool

    def logits(self, model: Classifier, *inputs: Tensor | None) -> Tensor:
        """The output of the model, float32, its products in the precision of the settings."""
        with environment.autocast(model.head.weight.device, self.settings.precision):
            return model(*inputs).float()

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        if self.multi_label:
            return nn.functional.binary_cross_entropy_with_logits(logits, targets)
        return nn.functional.cross_entropy(logits, targets)

    def probabilities(self, logits: Tensor) -> Tensor:
        return logits.sigmoid() if self.multi_label else logits.softmax(dim=1)


@environment.usual_torch()
def finetune(
    settings: FinetuneSettings,
    clips: LabelledClips,
    waves: Waves | Sequence[Tensor],
    start: Encoder | AnyPath | None = None,
    out: AnyPath | None = None,
    *,
    folds: Sequence[int] | None = None,
    resume: bool = False,
    device: torch.device | str | None = None,
    progress: bool = True,
    recordings: dict | None = None,
) -> FinetuneResult:
    """Fine-tune an encoder for each test fold in turn, and test it after the last epoch.

    Args:
        settings: what to run. ``run.json`` says what the precision "auto" became; a run that is
            resumed keeps its own.
        clips: labels, folds and classes.
        waves: a waveform for each clip, (samples,) floats at 16 kHz with full scale at 1: a (clips,
            samples) tensor or array, a sequence, or `cached_waves`.
        start: the encoder to begin with, or the run, checkpoint, file or name of one; None for
            random weights of the size ``settings.preset``, the control from scratch.
        out: folder for ``run.json``, ``provenance.json``, ``result.json`` (of all folds that are
            done by now) and, for each seed and fold, ``metrics.jsonl`` (a line an epoch), the
            checkpoint, and at last the scores of the test clips; None keeps nothing.
        folds: those to test on; all test folds of the set when None.
        resume: go on with the run in ``out``, each fold from its last checkpoint.
        device: where to train; a CUDA device where there is one.
        progress: show a progress bar.
        recordings: where clips and folds are from, as JSON has it, for ``run.json``; None keeps what
            a run that is resumed says.

    Raises:
        InputError: for clips, folds or weights that cannot be used; for waves that
            `audiopg.inputs.as_waves` refuses; when ``out`` holds a run and ``resume`` is False, or
            one of other settings, weights, clips or waves and it is True; when another process writes
            there or a file cannot be written; when a loss is not finite, naming fold and epoch.
    """
    environment.name_user()
    device = environment.usable_device(device)
    settings = _settled(settings, out if resume else None, device)
    waves = _long_enough(as_clips(waves, clips), settings)
    targets = tasks.targets_of(clips).to(device)
    splits = tasks.splits_of(clips, folds, settings.validate)
    encoder = _starting_encoder(settings, start)
    if out is None:
        asked = tasks.tasks_of(settings, splits)
        return _finetune(settings, clips, waves, encoder, asked, targets, progress)
    require_utf8(out)
    with run_folder(out) as held:
        about = tasks.describe(settings, clips, waves, encoder, start, recordings)
        run = tasks.open_run(held, about, resume, device)
        asked = tasks.tasks_of(settings, splits, held.path, run, held)
        # Results of which result.json could not be made are refused before the work.
        tasks.load_all(settings, clips, held.path, run, held)
        result = _finetune(settings, clips, waves, encoder, asked, targets, progress)
        with held.writing():
            tasks.write_result(settings, clips, held.path, run)
    return result


def _long_enough(waves: Waves, settings: FinetuneSettings) -> Waves:
    """The waves, where all can be heard; asked before there is the folder of a run that cannot begin."""
    if settings.native_length:
        require_windows(waves)
    return waves


def _settled(
    settings: FinetuneSettings, resumed: AnyPath | None, device: torch.device
) -> FinetuneSettings:
    """Settings with the precision of the run that is resumed, or what "auto" becomes."""
    require_kind(settings, FinetuneSettings, "settings")
    precision = settings.precision
    if resumed is not None and precision == "auto":
        precision = read_run(resumed)[0].precision
    return replace(settings, precision=environment.settle_precision(precision, device))


def _finetune(
    settings: FinetuneSettings,
    clips: LabelledClips,
    waves: Waves,
    encoder: Encoder | None,
    asked: list[Task],
    targets: Tensor,
    progress: bool,
) -> FinetuneResult:
    """Do the tasks that are left."""
    device = targets.device
    tested = [tasks.load_tested(task, targets.shape[1]) for task in asked]
    left = [place for place, done in enumerate(tested) if done is None]
    epochs = len(left) * settings.epochs
    held = asked[0].held
    bar = tqdm(total=epochs, desc="fine-tuning", unit="epoch", disable=not (progress and left))
    with bar, resumable(held and held.path):
        if left and held:
            with held.writing():
                note_sitting(held, device, left=[asked[place].name for place in left])
        if left:
            log_mel = encoder.log_mel if encoder else LogMel()
            mels = log_mels(waves, log_mel, settings.native_length, device)
            heard = _Heard(settings, mels, targets, clips.multi_label)
        for place in left:
            task = asked[place]
            first = copy.deepcopy(encoder) or Encoder.preset(settings.preset, task.seed)
            model = Classifier(first, targets.shape[1]).requires_grad_(True).to(device)
            tested[place] = _train(task, model, heard, bar)
    return tasks.assemble(clips, asked, tested)


def _starting_encoder(
    settings: FinetuneSettings, start: Encoder | AnyPath | None
) -> Encoder | None:
    """The encoder that every fold begins with; None from scratch."""
    if start is None:
        if settings.preset is None:
            raise InputError(
                "there is nothing to begin with: give weights to start from, or a preset to train "
                "from scratch."
            )
        return None
    encoder = as_encoder(start)
    wanted = ARCHITECTURES[settings.preset] if settings.preset else encoder.architecture
    if unlike := encoder.architecture.unlike(wanted, ("width", "depth", "heads")):
        raise InputError(
            f"the weights to start from are another network than {settings.preset} ({unlike}); leave "
            "out one of the two."
        )
    return encoder


def _train(task: Task, model: Classifier, heard: _Heard, bar: tqdm) -> Outcome:
    """Train a classifier on the training clips of a task, then score its test clips."""
    settings = heard.settings
    optimiser, steps = _optimiser(settings, model), task.steps(settings.batch_size)
    losses, seconds = tasks.load_checkpoint(task, model, optimiser)
    bar.update(len(losses))
    saved = time.perf_counter()
    for epoch in range(len(losses), settings.epochs):
        began = time.perf_counter()
        losses.append(_train_epoch(task, model, optimiser, heard, epoch))
        now = time.perf_counter()
        seconds += now - began
        bar.update()
        bar.set_postfix(seed=task.seed, fold=task.fold, loss=f"{losses[-1]:.3f}")
        if not task.folder:
            continue
        line = {
            "epoch": epoch + 1,
            "loss": losses[-1],
            "learning_rate": learning_rate_at(settings, (epoch + 1) * steps - 1, steps),
            "steps_per_second": round(steps / (now - began), 2),
            "seconds": round(seconds, 3),
        }
        with task.held.writing():
            add_metrics(task.folder / "metrics.jsonl", line)
        if epoch + 1 < settings.epochs and now - saved >= settings.checkpoint_seconds:
            tasks.save_checkpoint(task, model, optimiser, losses, seconds)
            saved = time.perf_counter()
    tested = {"scores": _test(task, model, heard), **tasks.history(losses, seconds)}
    if task.folder:
        tasks.save_tested(task, tested)
    return tested


def _train_epoch(
    task: Task, model: Classifier, optimiser: AdamW, heard: _Heard, epoch: int
) -> float:
    """Take the steps of an epoch, counted from 0; the mean loss of its clips.

    Raises:
        InputError: for a loss that is not finite.
    """
    settings, key = heard.settings, augment.fold_key(task.seed, task.fold)
    steps = task.steps(settings.batch_size)
    order = task.train[augment.epoch_order(key, epoch, len(task.train))]
    draws = epoch_draws(settings, heard.mels, order, key, epoch, len(model.encoder.blocks))
    batches = zip(*(t.split(settings.batch_size) for t in (order, *draws)), strict=True)
    total = torch.zeros((), dtype=torch.float32, device=heard.targets.device)
    for step, (rows, *drawn) in enumerate(batches, epoch * steps):
        inputs, targets = training_batch(settings, heard.mels, heard.targets, rows, *drawn)
        loss = heard.loss(heard.logits(model, *inputs), targets)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        rate = learning_rate_at(settings, step, steps)
        for group in optimiser.param_groups:
            group["lr"] = rate * group["share"]
        optimiser.step()
        total += loss.detach() * len(rows)
    mean = total.item() / len(order)
    if not math.isfinite(mean):
        raise InputError(
            f"the loss is {mean} in epoch {epoch + 1} of seed {task.seed}, fold {task.fold}; start a "
            "new run with a lower learning_rate."
        )
    return mean


def _test(task: Task, model: Classifier, heard: _Heard) -> Tensor:
    """The probabilities of the classes of a task's test clips, (clips, classes).

    Raises:
        InputError: where one is not finite.
    """
    scores = heard.probabilities(_score(model, heard, task.test))
    if not scores.isfinite().all():
        raise InputError(
            f"the scores of seed {task.seed}, fold {task.fold}, are not finite after the last epoch; "
            "start a new run with a lower learning_rate."
        )
    return scores.cpu()


def epoch_draws(
    settings: FinetuneSettings,
    mels: Spectrograms,
    order: Tensor,
    key: Tensor,
    epoch: int,
    depth: int,
) -> tuple[Tensor, Tensor]:
    """The random numbers for an epoch's clips: see `draw` and `draw_patches`, a row a clip.

    Args:
        order: (n,) int64, the training clips in the order of the epoch.
        epoch: counted from 0.

    Returns:
        (n, draws), and (n, patches of the longest clip), or (n, 0) where no patch is dropped.
    """
    device = mels.frames.device
    key, places = key.to(device), augment.addresses(order.to(device), epoch)
    longest = int(patches_of(mels.lengths[order]).max()) if settings.patch_drop else 0
    return augment.draw(key, places, depth), augment.draw_patches(key, places, longest)


def training_batch(
    settings: FinetuneSettings,
    mels: Spectrograms,
    targets: Tensor,
    rows: Tensor,
    draws: Tensor,
    patch_draws: Tensor,
) -> tuple[tuple[Tensor | None, ...], Tensor]:
    """Training clips, augmented at random as the settings say.

    Args:
        targets: (clips, classes).
        rows: (B,) int64, of the clips wanted, in the memory of the CPU.
        draws, patch_draws: the `epoch_draws` of these clips.

    Returns:
        The arguments of the `Classifier`, and the targets, (B, classes).
    """
    frames = mels.lengths[rows].to(targets.device)
    mel = mels.looped(rows, augment.random_roll(draws, frames) if settings.roll else None)
    mel = augment.mix(draws, mel, settings.mixup)
    mel = augment.spec_augment(draws, mel, frames, settings.time_mask, settings.band_mask)
    patches, longest = patches_of(frames), mel.shape[1] // PATCH * BANDS
    visible = None
    if settings.patch_drop:
        visible, patches = augment.drop_patches(patch_draws, patches, longest, settings.patch_drop)
    paths = augment.stochastic_depth(draws, settings.drop_path) if settings.drop_path else None
    n_patches = None if mels.alike(rows) else patches
    mixed = augment.mix(draws, targets[rows.to(targets.device)], settings.mixup)
    return (padding_behind(mel, frames, mels.padding), n_patches, visible, paths), mixed


@torch.no_grad()
def _score(model: Classifier, heard: _Heard, rows: Tensor) -> Tensor:
    """Class scores of clips without augmentation: (rows, classes)."""
    mels = heard.mels
    scores = mels.frames.new_empty(len(rows), model.head.out_features, dtype=torch.float32)
    for places in batches_by_length(mels.lengths[rows], heard.settings.batch_size):
        part = rows[places]
        frames = mels.lengths[part].to(mels.frames.device)
        n_patches = None if mels.alike(part) else patches_of(frames)
        mel = padding_behind(mels.looped(part), frames, mels.padding)
        scores[places] = heard.logits(model, mel, n_patches)
    return scores


def _optimiser(settings: FinetuneSettings, model: Classifier) -> AdamW:
    """AdamW, a group of parameters for each layer, with its share of the learning rate."""
    encoder = model.encoder
    rest = {id(p) for module in (encoder.blocks, encoder.norm) for p in module.parameters()}
    layers = [
        [p for p in encoder.parameters() if id(p) not in rest],
        *(list(block.parameters()) for block in encoder.blocks),
        [*encoder.norm.parameters(), *model.head.parameters()],
    ]
    shares = [settings.layer_decay**depth for depth in reversed(range(len(layers)))]
    groups = [
        {"params": layer, "share": share} for layer, share in zip(layers, shares, strict=True)
    ]
    return AdamW(groups, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True)
