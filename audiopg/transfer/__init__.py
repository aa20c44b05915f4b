"""What frozen or fine-tuned representations are worth on real recordings (Sections 4.1, 4.2).

- `compare` has encoders and controls probed, by `probe` and `logistic`;
- `finetune` is the loop, with the settings of `recipes`, the chance of `augment`, the folds and files
  of `tasks`; `waves` and `spectrograms` are what it hears;
- `statistics` says what a difference is worth, `confusions` and `kinds` where a classifier errs,
  `summary` what a record keeps of it;
- `embedding` and `adapters` are for other people's tools.
"""

from audiopg.transfer.compare import clip_features, compare_encoders, probe_features
from audiopg.transfer.confusions import confusion_matrix, most_confused, nearest_clips
from audiopg.transfer.embedding import (
    AudioPGEmbedding,
    check_table,
    embed_files,
    list_audio,
    write_embeddings,
)
from audiopg.transfer.finetune import (
    FINETUNE_RECIPES,
    FinetuneResult,
    FinetuneSettings,
    finetune,
    read_result,
)
from audiopg.transfer.kinds import KINDS, class_kinds, kinds_table
from audiopg.transfer.probe import (
    ProbeResult,
    class_shares,
    linear_probe,
    log_mel_mean,
    log_mel_statistics,
    probe_table,
)
from audiopg.transfer.statistics import (
    bootstrap_interval,
    holm,
    mcnemar,
    mean_average_precision,
    paired_p_value,
    significance_table,
)
from audiopg.transfer.summary import recorded_confusions, recorded_matrix, recorded_table, summarise

__all__ = [
    "FINETUNE_RECIPES", "KINDS", "AudioPGEmbedding", "FinetuneResult", "FinetuneSettings",
    "ProbeResult", "bootstrap_interval", "check_table", "class_kinds", "class_shares",
    "clip_features", "compare_encoders", "confusion_matrix", "embed_files", "finetune", "holm",
    "kinds_table", "linear_probe", "list_audio", "log_mel_mean", "log_mel_statistics",
    "mcnemar", "mean_average_precision", "most_confused", "nearest_clips", "paired_p_value",
    "probe_features", "probe_table", "read_result", "recorded_confusions", "recorded_matrix",
    "recorded_table", "significance_table", "summarise", "write_embeddings",
]  # fmt: skip
