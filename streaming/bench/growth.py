"""Whether a quantity grows: the slope of samples over time that a few outliers cannot move.

What belongs here: this estimator. What does not: what slope is too much.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def theil_sen(times: Sequence[float], values: Sequence[float]) -> float:
    """The median slope over all pairs of samples, in `values` per unit of `times`; 0 for fewer than two.

    Source: P. K. Sen, Journal of the American Statistical Association 63 (1968), 1379–1389,
    doi:10.1080/01621459.1968.10480934.
    """
    x, y = np.asarray(times, dtype=float), np.asarray(values, dtype=float)
    i, j = np.triu_indices(len(x), k=1)
    apart = x[j] != x[i]
    if not apart.any():
        return 0.0
    return float(np.median((y[j] - y[i])[apart] / (x[j] - x[i])[apart]))
