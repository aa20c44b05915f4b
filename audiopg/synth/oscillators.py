"""The old path of `audiopg.synth.excitations`, kept for one release."""

import warnings

from audiopg.synth.excitations import *  # noqa: F403

warnings.warn(
    "audiopg.synth.oscillators is called audiopg.synth.excitations now; import that.",
    DeprecationWarning,
    stacklevel=2,
)
