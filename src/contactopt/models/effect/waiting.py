"""P(pays | wait) from the rows that waited: the self-cure score."""

from __future__ import annotations

import numpy as np

from contactopt.models.effect.scores import EffectRows
from contactopt.models.payment.model import PaymentModel

__all__ = ["waiting_model"]

#: rows x columns from which the model of waiting learns, at most
_MAX_CELLS = 4_000_000


def waiting_model(rows: EffectRows, *, num_threads: int, random_state: int) -> PaymentModel:
    """Return a payment model of the rows that waited, weighted to everybody and calibrated."""
    waited = np.flatnonzero(rows.arm == -1)
    waited = waited[:: max(1, -(-waited.size * rows.X.shape[1] // _MAX_CELLS))]
    model = PaymentModel(
        n_folds=2,
        max_rounds=150,
        learning_rate=0.1,
        num_threads=num_threads,
        random_state=random_state,
    )
    return model.fit(
        rows.X[waited],
        rows.y[waited].astype(int),
        rows.weight[waited],
        groups=rows.cluster[waited],
    )
