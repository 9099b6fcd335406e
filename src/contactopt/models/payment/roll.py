"""P(a customer's worst debt rolls into a later bucket within the horizon): closeness to default."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt

from contactopt.models.learners.debt_age import prior_roll_rate
from contactopt.models.payment.outcome import OutcomeModel
from contactopt.models.payment.signs import ROLL_SIGNS

__all__ = ["RollModel"]


class RollModel(OutcomeModel):
    """Calibrated probability of rolling; learns, is checked and explains as `PaymentModel` does.

    Fit it on `journal.roll_labels`, on the rows that are ``mature`` and ``at_risk`` only, and read
    it for customers at risk only: a charged-off debt has no later bucket. Parameters, attributes
    and methods are those of `PaymentModel`; the prior is a monthly roll rate by days past due.

    Examples
    --------
    >>> import pandas as pd
    >>> model = RollModel(days_past_due="dpd").fit(pd.DataFrame({"dpd": []}, dtype=float), [])
    >>> model.predict_proba(pd.DataFrame({"dpd": [3.0, 45.0]}))[:, 1].round(2)
    array([0.1 , 0.55])
    """

    _known_signs: ClassVar[dict[str, int]] = ROLL_SIGNS
    _yes: ClassVar[str] = "rolling"

    def _prior(self) -> npt.NDArray[np.float64]:
        return prior_roll_rate(self.horizon_days)
