"""How many contacts a customer had shortly before: the trailing count behind fatigue and harm."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["touches_before"]


def touches_before(
    customer: npt.ArrayLike, time_us: npt.ArrayLike, *, window_days: float = 7.0
) -> npt.NDArray[np.float64]:
    """Count the same customer's earlier touches inside the window before each touch.

    Parameters
    ----------
    customer : int array, shape (n,)
        Customer code of each touch.
    time_us : int64 array, shape (n,)
        Microseconds since the epoch, UTC, in any order.
    window_days : float

    Returns
    -------
    float array, shape (n,)
        Touches at the very same instant are not counted.

    Examples
    --------
    >>> day = 86_400_000_000
    >>> touches_before([0, 0, 0, 1], [0, day, 9 * day, 0]).tolist()
    [0.0, 1.0, 0.0, 0.0]
    """
    code = np.asarray(customer, dtype=np.int64)
    time = np.asarray(time_us, dtype=np.int64)
    if len(code) == 0:
        return np.zeros(0)
    window = int(window_days * 86_400_000_000)
    order = np.lexsort((time, code))
    # one axis on which customers lie further apart than the window: a search finds both edges
    dense = np.unique(code[order], return_inverse=True)[1].ravel()
    span = int(time.max() - time.min()) // 1_000_000 + window // 1_000_000 + 2
    if dense[-1] * span > 2**62 // 1_000_000:
        key = dense.astype(np.float64) * span + (time[order] - time.min()) / 1e6
        step = window / 1e6
    else:
        key = dense * (span * 1_000_000) + (time[order] - time.min())
        step = window
    first = np.searchsorted(key, key - step, side="left")
    last = np.searchsorted(key, key, side="left")
    out = np.empty(len(code))
    out[order] = last - first
    return out
