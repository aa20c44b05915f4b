"""What frozen or fine-tuned representations are worth on real recordings."""

from audiopg.transfer.compare import compare_encoders
from audiopg.transfer.probe import (
    ProbeResult,
    linear_probe,
    log_mel_mean,
    log_mel_statistics,
    probe_table,
)

__all__ = [
    "ProbeResult",
    "compare_encoders",
    "linear_probe",
    "log_mel_mean",
    "log_mel_statistics",
    "probe_table",
]
