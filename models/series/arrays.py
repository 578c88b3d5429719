"""Array types of time series."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.datetime64]
Values = NDArray[np.float64]
Columns = Mapping[str, Values]  # name -> values, [T]
