"""P(a customer pays within the horizon) when waiting, under the policy that made the log."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt

from contactopt.models.learners.debt_age import prior_payment_rate
from contactopt.models.payment.outcome import OutcomeModel
from contactopt.models.payment.signs import PAYMENT_SIGNS

__all__ = ["PaymentModel"]


class PaymentModel(OutcomeModel):
    """Calibrated probability of payment; learner and calibration are chosen on held-out rows.

    A penalised logistic line whose curves bend at quantiles and LightGBM are mixed on the logit
    scale: half and half unless held-out rows say otherwise, the line alone below 100 rows of the
    rarer class, trees alone above 50,000 rows. Held-out rows are random folds of whole customers;
    with ``times`` also later rows of other customers (`temporal_split`), judged after their level
    was set right, and the level of the newest rows is tracked where the past shows that it moves
    (`current_shift`). Above four million cells the choice rests on a sample of customers, the level
    on all rows (`level_over_all_rows`). With fewer than 50 rows or 10 of a class the answer is a
    prior by days past due, updated by the rows there are (``cold_start_`` is True).

    Parameters
    ----------
    learner : {"auto", "logistic", "lightgbm", "blend"}
    horizon_days : float, or list of 8 floats
        Window of the label; scales the prior. A list holds one per bucket of days past due
        (1-7, 8-30, 31-60, 61-90, 91-180, over 180, current, not known).
    days_past_due : str, optional
        Column that holds the days past due of the customer's debt, for the prior.
    monotone : "auto", None or mapping of str to -1, 0 or 1
        Directions that the score must keep, other columns equal. "auto" demands those the field
        knows of the feature pipeline's own columns (`signs.PAYMENT_SIGNS`), of others none.
    n_folds : int
    max_rounds, learning_rate, num_leaves, min_child_samples, feature_fraction, lambda_l2
        LightGBM's settings; rounds stop early, ``num_leaves`` None goes by the number of rows.
    num_threads : int
        Does not change the result.
    random_state : int

    Attributes
    ----------
    classes_ : array, shape (2,)
        The larger label means "pays".
    cold_start_ : bool
    verdict_ : list of str
        What must be known before the scores are used: too few rows of a class, columns without
        content, no skill shown, drift. Each line is also logged.
    fit_record_ : dict
        Rows, learner chosen, rounds, penalty, calibration, ``monotone``; held-out log-loss, AUC and
        calibration error beside that of a perfect model; with ``times`` the loss on later rows
        and ``drift`` (`drift_record`); ``sample_shift`` where the choice rested on a sample.

    Examples
    --------
    >>> import pandas as pd
    >>> model = PaymentModel(days_past_due="dpd")
    >>> model = model.fit(pd.DataFrame({"dpd": []}, dtype=float), [])
    >>> model.cold_start_, model.predict_proba(pd.DataFrame({"dpd": [3.0, 45.0]}))[:, 1].round(2)
    (True, array([0.6 , 0.18]))
    """

    _known_signs: ClassVar[dict[str, int]] = PAYMENT_SIGNS
    _yes: ClassVar[str] = "paying"

    def _prior(self) -> npt.NDArray[np.float64]:
        return prior_payment_rate(self.horizon_days)
