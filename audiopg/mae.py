"""The masked autoencoder: log-mel -> patches -> encoder -> decoder -> masked loss (Section 3.2)."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial

import torch
from torch import Tensor, nn

from audiopg.embedding import BANDS, Embedder
from audiopg.embedding import POOLINGS as POOLINGS
from audiopg.errors import InputError
from audiopg.frontend import MEL_BANDS, PATCH, LogMel
from audiopg.initial import INITIAL, initialise, start_mimetic
from audiopg.inputs import share, shown, whole_number, whole_seed
from audiopg.random import STREAMS, permutation, uniform
from audiopg.synth.parameters import CLIP_SAMPLES, as_values, is_whole

MOST_TOKENS = LogMel.frames(CLIP_SAMPLES) // PATCH * BANDS
PIXELS = PATCH * PATCH
# Always float32, whatever `torch.set_default_dtype` says.
_Linear = partial(nn.Linear, dtype=torch.float32)
_LayerNorm = partial(nn.LayerNorm, eps=1e-6, dtype=torch.float32)


@dataclass(frozen=True)
class Architecture:
    """Sizes of the network.

    Attributes:
        width: numbers a token of the encoder.
        depth: blocks of the encoder.
        heads: attention heads a block of the encoder.
        decoder_width: numbers a token of the decoder.
        decoder_depth: blocks of the decoder.
        decoder_heads: attention heads a block of the decoder.
        class_token: whether a token that stands for no patch goes through both, as in the paper.
        visible_keys: whether the decoder attends to what is visible alone, so that no prediction
            depends on which others are asked for (Fu et al., 2024).

    Raises:
        InputError: for a size below 1, a width that is no multiple of 4 and of its heads, or what is
            neither True nor False.
    """

    width: int
    depth: int
    heads: int
    decoder_width: int
    decoder_depth: int
    decoder_heads: int
    class_token: bool = True
    visible_keys: bool = False

    def unlike(self, other: "Architecture", names: Sequence[str] | None = None) -> str:
        """How another one differs, in all sizes or in some: "depth 2, not 12; heads 2, not 3"."""
        mine, theirs = asdict(self), asdict(other)
        return "; ".join(
            f"{name} {mine[name]}, not {theirs[name]}"
            for name in names or mine
            if mine[name] != theirs[name]
        )

    def __post_init__(self) -> None:
        for field in fields(self):
            value, name = getattr(self, field.name), field.name
            if field.type is bool and not isinstance(value, bool):
                raise InputError(f"{name} is {shown(value)}; give True or False.")
            if field.type is int and not (is_whole(value) and value >= 1):
                raise InputError(f"{name} is {shown(value)}; give a whole number of at least 1.")
        for name, width, heads in (
            ("width", self.width, self.heads),
            ("decoder_width", self.decoder_width, self.decoder_heads),
        ):
            # Positions take quarters of a width, the heads equal parts of it.
            if width % math.lcm(4, heads):
                raise InputError(
                    f"{name} is {width}; with {heads} heads it is a multiple of "
                    f"{math.lcm(4, heads)}."
                )


ARCHITECTURES = {
    "micro": Architecture(64, 2, 2, 64, 1, 2),
    "mini": Architecture(128, 6, 4, 128, 2, 4),
    "tiny": Architecture(192, 12, 3, 128, 2, 4),
    "small": Architecture(384, 12, 6, 256, 4, 8),
    "base": Architecture(768, 12, 12, 512, 8, 16),
}


@dataclass(frozen=True)
class MaskedOutput:
    """What one pass of the autoencoder gives.

    Attributes:
        loss: scalar, mean squared error over masked patches, each normalised to zero mean and
            unit variance.
        prediction: (B, tokens, 256), normalised patches; 0 where the decoder was not asked.
        mask: (B, tokens) bool, True where the encoder did not see the patch and the decoder was
            asked for it.
        auxiliary_loss: scalar, mean squared error of the auxiliary head; None where it was given
            nothing to predict.
    """

    loss: Tensor
    prediction: Tensor
    mask: Tensor
    auxiliary_loss: Tensor | None = None


def patchify(mel: Tensor) -> Tensor:
    """Cut a spectrogram into 16 x 16 patches, time-major: (B, T, 128) -> (B, T/16 * 8, 256).

    Raises:
        InputError: for a shape that does not divide into patches.
    """
    if mel.ndim != 3 or mel.shape[1] % PATCH or mel.shape[2] != MEL_BANDS or not mel.shape[1]:
        raise InputError(
            f"the spectrogram has shape {tuple(mel.shape)}; "
            f"give (clips, frames, {MEL_BANDS}), frames a multiple of {PATCH}."
        )
    grid = mel.unflatten(1, (-1, PATCH)).unflatten(3, (BANDS, PATCH))  # (B, T/16, 16, 8, 16)
    return grid.transpose(2, 3).flatten(3).flatten(1, 2)


def unpatchify(patches: Tensor) -> Tensor:
    """The inverse of `patchify`: (B, tokens, 256) -> (B, tokens/8 * 16, 128)."""
    grid = patches.unflatten(1, (-1, BANDS)).unflatten(3, (PATCH, PATCH))
    return grid.transpose(2, 3).flatten(3).flatten(1, 2)


def normalise_patches(patches: Tensor) -> Tensor:
    """Each patch, (..., values), less its own mean and over its own standard deviation."""
    mean, deviation = _mean_and_deviation(patches)
    return (patches - mean) / deviation


def denormalise_patches(normalised: Tensor, patches: Tensor) -> Tensor:
    """The inverse of `normalise_patches`, with the mean and deviation of given patches."""
    mean, deviation = _mean_and_deviation(patches)
    return normalised * deviation + mean


def _mean_and_deviation(patches: Tensor) -> tuple[Tensor, Tensor]:
    variance, mean = torch.var_mean(patches, dim=-1, keepdim=True)
    return mean, (variance + 1e-6).sqrt()


def sine_cosine_positions(tokens: int, width: int) -> Tensor:
    """Fixed 2-D position embeddings: half the width for time, half for frequency.

    Token j stands at time j // 8 and band j % 8; each coordinate p is coded by sin and cos of
    p / 10000^(i / (width / 4)), i = 0 .. width/4 - 1 (He et al., 2022).

    Returns:
        (tokens, width) float32.
    """
    index = torch.arange(tokens)
    quarter = width // 4
    rates = 10000.0 ** (-torch.arange(quarter, dtype=torch.float64) / quarter)
    angles = [place[:, None] * rates for place in (index // BANDS, index % BANDS)]
    return torch.cat([wave(a) for a in angles for wave in (torch.sin, torch.cos)], dim=1).float()


def training_tokens(
    clips: Tensor,
    seed: int,
    tokens: int,
    mask_ratio: float,
    decoded_share: float = 1.0,
    window: int | None = None,
) -> tuple[Tensor, Tensor]:
    """The tokens that the encoder sees, and those that the decoder works on, in one step.

    Both are a pure function of seed and clip, on any device. The decoder works on all visible tokens,
    and on a share of the hidden ones, drawn at random (Fu et al., 2024). A window lies at a random
    place in the clip, and neither of the two sees a patch outside it.

    Args:
        clips: (B,) clip indices, as `SynthPrior.sample` takes them.
        seed: key of the random numbers.
        tokens: of a whole clip.
        mask_ratio: share of tokens hidden.
        decoded_share: of the hidden tokens, at least one of which is taken.
        window: its length in patches, of `tokens` / 8 in the clip; None for the whole clip.

    Returns:
        (B, visible) and (B, decoded) int64, distinct token indices in ascending order.

    Raises:
        InputError: for clips or a seed that `SynthPrior.sample` refuses; a share that is not between
            0 and 1 (a decoded share of 1 is allowed); or a window longer than the clip.
    """
    clips, seed = as_values("clip", clips), whole_seed(seed)
    mask_ratio, tokens = share(mask_ratio, "mask_ratio"), whole_number(tokens, "tokens")
    if decoded_share != 1:
        decoded_share = share(decoded_share, "decoded_share")
    if window is not None and (window := whole_number(window, "window")) > tokens // BANDS:
        raise InputError(
            f"window is {window} patches; give at most the {tokens // BANDS} of the clip."
        )
    key = torch.tensor(seed, dtype=torch.int64, device=clips.device)
    order = permutation(key, clips, STREAMS["mask"], tokens)
    if window is not None:
        places = tokens // BANDS - window + 1
        first = uniform(key, clips, STREAMS["window"], clips.new_zeros(())).mul(places).long()
        after = order // BANDS - first[:, None]
        outside = (after < 0) | (after >= window)
        # The tokens inside come first, in the order that they had.
        inside = outside.byte().argsort(dim=1, stable=True)[:, : window * BANDS]
        order = order.gather(1, inside)
    visible = int(order.shape[1] * (1 - mask_ratio))
    hidden = max(1, round((order.shape[1] - visible) * decoded_share))
    return order[:, :visible].sort(dim=1).values, order[:, : visible + hidden].sort(dim=1).values


class Block(nn.Module):
    """One pre-norm transformer block (Dosovitskiy et al., 2021): (B, N, D) -> (B, N, D)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = _LayerNorm(width)
        self.query_key_value = _Linear(width, 3 * width)
        self.output = _Linear(width, width)
        self.mlp_norm = _LayerNorm(width)
        self.mlp = nn.Sequential(_Linear(width, 4 * width), nn.GELU(), _Linear(4 * width, width))

    def forward(self, x: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        x = x + self.attend(x, attention_mask)
        return x + self.mlp(self.mlp_norm(x))

    def attend(self, x: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """What attention adds to the tokens.

        Args:
            x: (B, N, D).
            attention_mask: (B, N) bool, the tokens that are attended to; None for all.

        Returns:
            (B, N, D).
        """
        joint = self.query_key_value(self.attention_norm(x))
        query, key, value = joint.unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mask = None if attention_mask is None else attention_mask[:, None, None]
        mixed = attention(query, key, value, mask)
        return self.output(mixed.transpose(1, 2).flatten(2))


def attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    """Softmax attention, (B, heads, N, D / heads) each; ``mask`` is True for what is attended to.

    On a CPU in bfloat16, where gradients are needed, attention is written out as two products.
    There PyTorch's fused attention takes 2 to 4 times as long for both passes, and its backward pass
    is slower than in float32 (torch 2.11; see `findings/bfloat16_attention.sh`).
    """
    if query.is_cuda or query.dtype != torch.bfloat16 or not query.requires_grad:
        return nn.functional.scaled_dot_product_attention(query, key, value, mask)
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return scores.softmax(dim=-1).to(value.dtype) @ value


class Encoder(Embedder):
    """The vision transformer that is kept after pre-training.

    Args:
        architecture: sizes of the network.
        log_mel: the front end that makes its input.
    """

    def __init__(self, architecture: Architecture, log_mel: LogMel | None = None) -> None:
        super().__init__()
        self.architecture = architecture
        self.log_mel = log_mel or LogMel()
        width = architecture.width
        self.patch_projection = _Linear(PIXELS, width)
        self.class_token = _token(width) if architecture.class_token else None
        self.blocks = nn.ModuleList(
            Block(width, architecture.heads) for _ in range(architecture.depth)
        )
        self.norm = _LayerNorm(width)
        positions = sine_cosine_positions(MOST_TOKENS, width)
        self.register_buffer("positions", positions, persistent=False)

    @classmethod
    def preset(cls, name: str, seed: int = 0, **overrides: object) -> "Encoder":
        """An untrained encoder in evaluation mode: the random control of the analyses.

        Args:
            name, seed, overrides: as in `MaskedAutoencoder.preset`.

        Raises:
            InputError: for an unknown preset or field, or sizes that do not go together.
        """
        model = MaskedAutoencoder.preset(name, seed, **overrides)
        return model.encoder.requires_grad_(False).eval()

    @property
    def dimensions(self) -> int:
        """Length of an embedding."""
        return self.architecture.width

    def forward(self, mel: Tensor, visible: Tensor | None = None) -> Tensor:
        """Encode a spectrogram, or only its visible patches.

        Args:
            mel: (B, frames, 128) standardised log-mel, frames a multiple of 16, at most 1,024;
                shorter clips use the first position embeddings.
            visible: (B, V) int64 token indices; None for all.

        Returns:
            (B, 1 + V, D), the class token first; (B, V, D) where the architecture has none.

        Raises:
            InputError: for a shape that does not divide into patches, or a clip too long.
        """
        x = self.tokens(mel, visible)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def tokens(self, mel: Tensor, visible: Tensor | None = None) -> Tensor:
        """What the first block is given, (B, tokens, width): as `forward`, before the blocks."""
        # Spectrograms are often kept in half precision, or in arrays.
        patches = patchify(torch.as_tensor(mel).to(self.patch_projection.weight.dtype))
        if patches.shape[1] > MOST_TOKENS:
            raise InputError(
                f"the spectrogram has {mel.shape[1]} frames; the encoder takes at most "
                f"{MOST_TOKENS // BANDS * PATCH}."
            )
        positions = self.positions[: patches.shape[1]].expand(len(patches), -1, -1)
        if visible is not None:
            patches, positions = _take(patches, visible), _take(positions, visible)
        x = self.patch_projection(patches) + positions
        if self.class_token is not None:
            x = torch.cat((self.class_token.expand(len(x), 1, -1), x), dim=1)
        return x

    @torch.no_grad()
    def layers(self, mel: Tensor) -> Tensor:
        """The mean of the patches' tokens before the first block and after each block.

        The last mean is taken after the final norm, as in `embed`; the others are taken without it.

        Args:
            mel: (B, frames, 128), as in `forward`.

        Returns:
            (depth + 1, B, D).
        """
        x, first = self.tokens(mel), int(self.architecture.class_token)
        pooled = [x[:, first:].mean(dim=1)]
        for block in self.blocks:
            x = block(x)
            pooled.append(x[:, first:].mean(dim=1))
        pooled[-1] = self.norm(x)[:, first:].mean(dim=1)
        return torch.stack(pooled)


class MaskedAutoencoder(nn.Module):
    """Encoder of the visible patches, and decoder of all of them (He et al., 2022).

    Args:
        architecture: sizes of the network.
        mask_ratio: share of patches hidden from the encoder.
    """

    def __init__(self, architecture: Architecture, mask_ratio: float = 0.75) -> None:
        super().__init__()
        self.architecture, self.mask_ratio = architecture, share(mask_ratio, "mask_ratio")
        width = architecture.decoder_width
        self.encoder = Encoder(architecture)
        self.decoder_projection = _Linear(architecture.width, width)
        self.mask_token = _token(width)
        self.decoder_blocks = nn.ModuleList(
            Block(width, architecture.decoder_heads) for _ in range(architecture.decoder_depth)
        )
        self.decoder_norm = _LayerNorm(width)
        self.decoder_output = _Linear(width, PIXELS)
        positions = sine_cosine_positions(MOST_TOKENS, width)
        self.register_buffer("decoder_positions", positions, persistent=False)
        self.auxiliary: nn.Linear | None = None

    def add_auxiliary(self, targets: int) -> None:
        """Give the network a head that predicts numbers from the mean of the visible tokens.

        The head is linear, so it reads only what the tokens hold linearly. It begins at zero, and the
        other weights are those of the same network without it.
        """
        with torch.random.fork_rng(devices=[]):
            self.auxiliary = _Linear(self.architecture.width, targets)
        nn.init.zeros_(self.auxiliary.weight)
        nn.init.zeros_(self.auxiliary.bias)

    @classmethod
    def preset(
        cls,
        name: str,
        seed: int = 0,
        mask_ratio: float = 0.75,
        initial: str = "xavier",
        **overrides: object,
    ) -> "MaskedAutoencoder":
        """A freshly initialised network of a named size.

        Args:
            name: "micro" (for tests), "mini", "tiny", "small" or "base" (the paper's ViT-B with a
                decoder of 8 x 512).
            seed: of the initial weights.
            mask_ratio: share of patches hidden.
            initial: how the weights begin: "xavier", as in He et al. (2022), or "mimetic", where
                every token attends to those of like content and place from the first step on
                (`start_mimetic`).
            overrides: fields of the `Architecture`, such as ``decoder_depth=4``.

        Raises:
            InputError: for an unknown preset, field or beginning, sizes that do not go together, or
                a seed or a share that is none.
        """
        if initial not in INITIAL:
            raise InputError(f"initial is {initial!r}; choose from {list(INITIAL)}.")
        if name not in ARCHITECTURES:
            raise InputError(f"no model is called {name!r}; choose from {list(ARCHITECTURES)}.")
        known = [f.name for f in fields(Architecture)]
        for override in overrides:
            if override not in known:
                raise InputError(f"Architecture has no field {override!r}; choose from {known}.")
        architecture = replace(ARCHITECTURES[name], **overrides)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(whole_seed(seed))
            model = cls(architecture, mask_ratio)
            model.apply(initialise)
            if architecture.class_token:
                nn.init.normal_(model.encoder.class_token, std=0.02)
            nn.init.normal_(model.mask_token, std=0.02)
            if initial == "mimetic":
                start_mimetic(model)
        return model

    def forward(
        self,
        mel: Tensor,
        clips: Tensor,
        seed: int,
        targets: Tensor | None = None,
        decoded_share: float = 1.0,
        window: int | None = None,
    ) -> MaskedOutput:
        """Mask, encode, decode, and compare with the masked patches.

        Args:
            mel: (B, frames, 128) standardised log-mel, frames a multiple of 16.
            clips: (B,) clip indices, a tensor or as `SynthPrior.sample` takes them, which with the
                seed determine the masks.
            seed: key of the masks.
            targets: (B, targets), what the auxiliary head is to predict of each clip.
            decoded_share, window: as in `training_tokens`; the fewer tokens, the less arithmetic.

        Returns:
            The loss, the predicted patches and the mask; and the loss of the auxiliary head.

        Raises:
            InputError: for a spectrogram that does not divide into patches, fewer or more clip
                indices than clips, or as `training_tokens`.
        """
        mel, clips = torch.as_tensor(mel).to(self.mask_token.dtype), as_values("clip", clips)
        patches = patchify(mel)
        if clips.shape != (len(mel),):
            raise InputError(
                f"clips has shape {tuple(clips.shape)} for {len(mel)} spectrograms; "
                "give one index each."
            )
        tokens = patches.shape[1]
        visible, decoded = training_tokens(
            clips.to(mel.device), seed, tokens, self.mask_ratio, decoded_share, window
        )
        encoded = self.encoder(mel, visible)
        prediction = self.decode(encoded, visible, tokens, decoded)
        mask = torch.zeros(len(mel), tokens, dtype=torch.bool, device=mel.device)
        mask.scatter_(1, decoded, True).scatter_(1, visible, False)
        places = decoded[..., None].expand_as(prediction)
        prediction = prediction.new_zeros(patches.shape).scatter(1, places, prediction)
        error = (prediction.float() - normalise_patches(patches)).square().mean(dim=2)
        auxiliary_loss = None
        if targets is not None and self.auxiliary is not None:
            view = encoded[:, int(self.architecture.class_token) :].mean(dim=1)
            auxiliary_loss = (self.auxiliary(view).float() - targets).square().mean()
        return MaskedOutput((error * mask).sum() / mask.sum(), prediction, mask, auxiliary_loss)

    def decode(
        self, encoded: Tensor, visible: Tensor, tokens: int, decoded: Tensor | None = None
    ) -> Tensor:
        """Normalised patches from visible tokens; mask tokens stand where nothing was seen.

        Args:
            encoded: (B, [1 +] V, D), what the encoder makes of the visible patches.
            visible: (B, V) int64, their indices.
            tokens: of the whole clip.
            decoded: (B, n) int64, the tokens to work on, the visible ones among them; None for all.

        Returns:
            (B, tokens, 256), or (B, n, 256).
        """
        x = self.decoder_projection(encoded)
        first = int(self.architecture.class_token)
        places = visible[..., None].expand(-1, -1, x.shape[2])
        whole = self.mask_token.to(x.dtype).expand(len(x), tokens, -1)
        whole = whole.scatter(1, places, x[:, first:]) + self.decoder_positions[:tokens]
        if decoded is not None:
            whole = _take(whole, decoded)
        x = torch.cat((x[:, :first], whole), dim=1)
        seen = None
        if self.architecture.visible_keys:
            seen = x.new_zeros(len(x), tokens, dtype=torch.bool).scatter(1, visible, True)
            seen = seen if decoded is None else seen.gather(1, decoded)
            seen = torch.cat((seen.new_ones(len(x), first), seen), dim=1)
        for block in self.decoder_blocks:
            x = block(x, seen)
        return self.decoder_output(self.decoder_norm(x[:, first:]))


def reconstruct(mel: Tensor, output: MaskedOutput) -> Tensor:
    """The spectrogram with its masked patches replaced by what the decoder predicts.

    A prediction is a normalised patch: it is shown with the true patch's mean and deviation,
    which the model was never asked for.

    Args:
        mel: (B, frames, 128).
        output: of the autoencoder on ``mel``.

    Returns:
        (B, frames, 128).
    """
    patches = patchify(torch.as_tensor(mel))
    predicted = denormalise_patches(output.prediction, patches)
    return unpatchify(torch.where(output.mask[..., None], predicted, patches))


def _token(width: int) -> nn.Parameter:
    """A learned token of zeros."""
    return nn.Parameter(torch.zeros(width, dtype=torch.float32))


def _take(values: Tensor, index: Tensor) -> Tensor:
    """Rows of (B, N, D) at (B, V) indices: (B, V, D)."""
    return values.gather(1, index[..., None].expand(-1, -1, values.shape[2]))
