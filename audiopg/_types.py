"""Types that many signatures share."""

import os
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

if TYPE_CHECKING:
    from pandas import DataFrame
else:
    # pandas is imported where a table is made.
    DataFrame = "pandas.DataFrame"

AnyPath = str | os.PathLike
Array = Tensor | np.ndarray

__all__ = ["AnyPath", "Array", "DataFrame"]
