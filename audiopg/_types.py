"""Types that many signatures share."""

import os

import numpy as np
from torch import Tensor

Array = Tensor | np.ndarray
AnyPath = str | os.PathLike
