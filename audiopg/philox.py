"""The old path of `audiopg.random`, kept for one release."""

import warnings

from audiopg.random import *  # noqa: F403

warnings.warn(
    "audiopg.philox is called audiopg.random now; import that.", DeprecationWarning, stacklevel=2
)
