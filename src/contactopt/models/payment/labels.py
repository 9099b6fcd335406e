"""Two labels as 0 and 1."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["two_classes"]


def two_classes(
    y: npt.ArrayLike | None, n: int
) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
    """Return the sorted pair of labels, and 1.0 where a row has the larger, shape (n,).

    Raises
    ------
    ValueError
        By scikit-learn's rules; also for more than two labels, or a single one that is not 0 or 1.
    """
    from sklearn.utils.multiclass import check_classification_targets, type_of_target
    from sklearn.utils.validation import assert_all_finite, check_consistent_length, column_or_1d

    if y is None:
        raise ValueError("requires y to be passed, but the target y is None")
    values = column_or_1d(y, warn=True)
    if values.dtype == object:
        # truth values and whole numbers of a column that once held something else
        plain = pd.Series(values).infer_objects()
        if pd.api.types.is_numeric_dtype(plain.dtype):
            values = plain.to_numpy()
    assert_all_finite(values, input_name="y")
    check_consistent_length(values, np.empty((n, 0)))
    if n == 0:
        return np.array([0, 1]), np.zeros(0)
    check_classification_targets(values)
    labels = np.unique(values)
    if len(labels) > 2:
        raise ValueError(
            "Only binary classification is supported. The type of the target is "
            f"{type_of_target(values)}."
        )
    if len(labels) == 1:
        if labels[0] not in (0, 1):
            raise ValueError("one class only, and it is not 0 or 1: which means 'pays'?")
        labels = np.array([0, 1], dtype=labels.dtype)
    return labels, (values == labels[1]).astype(np.float64)
