"""What contact adds over waiting: a constant per arm, and differences between customers if shown.

Two ways in. Plain frames: `EffectModel().fit(X, y, action=, propensity=)` learns what *drawing*
each action adds (intention to treat). Logged decisions of a strategy: `EffectModel().fit(decisions,
features=)` learns what *reaching* through each channel adds, for a score that multiplies by reach.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit, logit
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from contactopt.contracts.action_space import ActionSpace
from contactopt.contracts.vocabulary import CHANNELS, WAIT
from contactopt.errors import ContractError
from contactopt.models.effect.by_customer import CustomerEffects, gain_given_reach
from contactopt.models.effect.channels import (
    channel_effects,
    channel_positions,
    decision_sequence,
    usable_decisions,
)
from contactopt.models.effect.choice import EffectChoice
from contactopt.models.effect.plain import plain_rows
from contactopt.models.effect.state import fill, state_of
from contactopt.models.effect.uplift import ArmEffects
from contactopt.models.effect.waiting import waiting_model
from contactopt.models.learners.boosted import BoostingPlan
from contactopt.models.learners.encoder import Encoder, checked_matrix
from contactopt.models.reach.attempts import known_channels

__all__ = ["Effect", "EffectModel"]

Floats = npt.NDArray[np.float64]


class Effect(NamedTuple):
    """What contact does, shape (n, m) each.

    ``p_reached``: probability of payment given reach (plain frames: given that the arm was drawn);
    ``gain``: that minus waiting's; ``spread``: posterior standard deviation of the gain.
    """

    p_reached: Floats
    gain: Floats
    spread: Floats


class EffectModel(BaseEstimator):
    """What contact adds over waiting, learned from drawn actions and their probabilities.

    The effect is one number per arm, shrunken to a prior, unless a difference between customers is
    shown: segment-level effects, S-, T- and DR-learners and reach times effect-given-reach are
    compared with it on customers they never saw, by doubly robust scores (`choice_`). Nobody is
    ever compared by whether he was reached.

    Without propensities the plain form estimates them from X, says so in `choice_` and the log, and
    uses rows with overlap only; without overlap, rows that waited or enough events the prior
    remains (``prior_only_``): contacted against uncontacted customers would be confounded.

    Parameters
    ----------
    like : dict of str to str, optional
        The contract's word that a channel added by the strategy follows.
    largest_weight : float
        Inverse propensities are cut at this multiple of the arm's mean.
    shift_sd : float
        Prior sd of how far waiting differs from the logging policy, in logits.
    control : str or int
        Value of ``action`` that means nothing was done.
    num_threads : int
        Does not change the result.
    random_state : int

    Attributes
    ----------
    arms_ : tuple
        Labels of the plain form, sorted; ``uplift_`` holds their `ArmEffects`.
    choice_ : EffectChoice
        Candidates, evidence with intervals, and the verdict in words.
    channels_ : dict of str to str
    effect_, spread_ : float arrays
        Posterior mean and sd per arm (plain form, in shares) or channel (in logits given reach).
    covariance_ : float array, shape (n_channels, n_channels)
    wait_shift_ : float
        What P(pays) under the logging policy moves by, in logits, when waiting.
    prior_only_ : bool
    fit_record_ : dict

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"age": rng.integers(20, 70, 4000)})
    >>> action = rng.choice(["wait", "call"], 4000)
    >>> y = rng.random(4000) < np.where(action == "call", 0.4, 0.2)
    >>> model = EffectModel().fit(X, y, action=action, propensity=np.full(4000, 0.5))
    >>> model.choice_.name, model.predict(X)["call"].round(2).unique()
    ('constant', array([0.18]))
    """

    encoder_: Encoder
    n_features_in_: int
    feature_names_in_: npt.NDArray[np.object_]

    def __init__(
        self,
        *,
        like: dict[str, str] | None = None,
        largest_weight: float = 20.0,
        shift_sd: float = 0.5,
        control: Any = WAIT,
        num_threads: int = 1,
        random_state: int = 0,
    ) -> None:
        self.like = like
        self.largest_weight = largest_weight
        self.shift_sd = shift_sd
        self.control = control
        self.num_threads = num_threads
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        action: Any = None,
        propensity: Any = None,
        groups: Any = None,
        reach: Any = None,
        features: pd.DataFrame | None = None,
    ) -> EffectModel:
        """Learn from drawn actions whose window has closed.

        Parameters
        ----------
        X : DataFrame or array, shape (n, k)
            What was known before the action: numbers and categories, missing as they are. Without
            ``y``: a frame of logged decisions, or None, as described below.
        y : array-like of 0/1, shape (n,), optional
            Paid within the horizon after the action.
        action : array-like, shape (n,)
            Label of what was drawn; ``control`` for waiting.
        propensity : array-like in (0, 1], shape (n,), or DataFrame with a column per label
            Probability with which the drawn action was drawn.
        groups : array-like, shape (n,), optional
            Customer of each row: on one side of every split, and a cluster of the errors.
        reach : array-like in [0, 1], shape (n,), optional
            Whether (or how likely) the drawn action reached the customer; a further candidate is
            then reach by features times effect given reach.
        features : DataFrame, shape (n, k), optional
            With logged decisions: what was known of each, for differences between customers.

        Returns
        -------
        EffectModel
            Rows with a missing outcome, action or propensity are left out, counted and logged.

        Raises
        ------
        ContractError
            If lengths differ, y is not 0/1, a propensity is not in (0, 1], a column of the
            decisions is missing or a channel is unknown.

        Notes
        -----
        Logged decisions are one row each: ``channel`` (drawn, ``wait`` included), ``propensity``
        (of the drawn action), ``paid`` (0/1), ``p_wait`` (P(pays), out of fold), ``reach``
        (probability that the drawn action reaches; ignored for wait), ``customer``, and if known
        ``hour`` (of the drawn action) and ``holdout``. Control customers are left out.
        With `g_estimation.SEQUENCE_COLUMNS`, of all decisions (``paid`` missing in open windows of
        ``horizon_days``), the effect is that of a contact that no other follows; else of one step.
        """
        self.channels_ = known_channels(self.like)
        for name in ("arms_", "uplift_", "wait_", "by_customer_", "wait_shift_"):
            self.__dict__.pop(name, None)
        if y is None and action is None:
            return self._fit_decisions(X, features)
        if y is None or action is None:
            raise ContractError(
                "EffectModel needs y and action beside X",
                hint="fit(X, y, action=labels, propensity=...)",
            )
        return self._fit_plain(X, y, action, propensity, groups, reach)

    # ---- plain frames --------------------------------------------------------------------

    def _plan(self) -> BoostingPlan:
        return BoostingPlan(
            max_bin=63,
            bagging_fraction=1.0,
            num_threads=self.num_threads,
            seed=int(self.random_state) % (2**31 - 1),
        )

    def _fit_plain(
        self, X: Any, y: Any, action: Any, propensity: Any, groups: Any, reach: Any
    ) -> EffectModel:
        matrix = checked_matrix(self, X, reset=True)
        names = [str(c) for c in getattr(self, "feature_names_in_", ())]
        plain = plain_rows(
            matrix,
            y,
            action=action,
            propensity=propensity,
            groups=groups,
            reach=reach,
            control=self.control,
            categories=self.encoder_.category_positions(names),
            largest_weight=self.largest_weight,
            plan=self._plan(),
        )
        self.arms_ = plain.arms
        p_wait, self.wait_ = None, None
        if plain.rows is not None:
            self.wait_ = waiting_model(
                plain.rows, num_threads=self.num_threads, random_state=self.random_state
            )
            p_wait = self.wait_.predict_proba(plain.rows.X)[:, 1]
        roots = [self._root(arm) for arm in self.arms_]
        self.uplift_ = ArmEffects().fit(plain, p_wait=p_wait, roots=roots, plan=self._plan())
        self.choice_ = self.uplift_.choice_
        self.effect_, self.spread_ = self.uplift_.mean_, self.uplift_.spread_
        self.prior_only_ = plain.rows is None
        self.drawn_ = plain.drawn
        self.fit_record_ = {
            **plain.record,
            "choice": self.choice_.name,
            "propensity": plain.propensity,
            "arms_with_evidence": len(plain.speaking),
        }
        return self

    def _root(self, arm: Any) -> str:
        return self.channels_.get(arm, arm if arm in CHANNELS else "")

    def _plain_matrix(self, X: Any) -> tuple[Floats, Floats]:
        check_is_fitted(self, "arms_")
        matrix = checked_matrix(self, X, reset=False)
        if self.wait_ is None:
            return matrix, np.full(len(matrix), np.nan)
        return matrix, self.wait_.predict_proba(matrix)[:, 1]

    def self_cure(self, X: Any) -> Floats:
        """Return P(pays | wait) of the plain form, calibrated on the rows that waited, (n,).

        NaN where no row waited at the fit: nothing tells then.
        """
        return self._plain_matrix(X)[1]

    def effect(self, X: Any) -> Effect:
        """Return what drawing each arm adds, arrays of shape (n, n_arms) in the order of arms_."""
        matrix, p_wait = self._plain_matrix(X)
        gain, spread = self.uplift_.effect(matrix, p_wait)
        return Effect(np.clip(p_wait[:, None] + gain, 0.0, 1.0), gain, spread)

    def predict(
        self, X: Any, actions: ActionSpace | None = None, *, return_std: bool = False
    ) -> Any:
        """Return the uplift of each arm over waiting.

        Parameters
        ----------
        X : DataFrame or array, shape (n, k)
            As at the fit. With ``actions``: P(pays | wait), and the answer is that of `gain`.
        actions : ActionSpace, optional
        return_std : bool
            Also return the standard deviations.

        Returns
        -------
        DataFrame, shape (n, n_arms), or two of them
            Columns are the arms, in shares of customers who pay because of it; no rows give none.
        """
        if actions is not None:
            return self.gain(X, actions)
        found = self.effect(X)
        index = X.index if isinstance(X, pd.DataFrame) else None
        uplift = pd.DataFrame(found.gain, index=index, columns=list(self.arms_))
        if not return_std:
            return uplift
        return uplift, pd.DataFrame(found.spread, index=index, columns=list(self.arms_))

    # ---- logged decisions ----------------------------------------------------------------

    def _fit_decisions(
        self, decisions: pd.DataFrame | None, features: pd.DataFrame | None
    ) -> EffectModel:
        rows = usable_decisions(decisions, self.channels_)
        sequence = decision_sequence(decisions)
        weighing = {"largest_weight": self.largest_weight, "shift_sd": self.shift_sd}
        posterior = channel_effects(rows, self.channels_, sequence=sequence, **weighing)
        found = posterior.found
        known = ~np.isnan(found.effect)
        self.prior_only_ = not known.any()
        self.effect_, self.covariance_ = posterior.effect, posterior.covariance
        self.spread_ = np.sqrt(np.diag(self.covariance_))
        self.wait_shift_ = found.shift
        self.raw_effect_ = found.effect
        self.raw_error_ = np.where(known, np.sqrt(np.diag(found.covariance)), np.nan)
        self.drawn_ = found.drawn
        self.by_customer_ = CustomerEffects().fit(
            rows,
            features,
            p_wait=self.predict_wait(rows["p_wait"]),
            channels=list(self.channels_),
            effect=self.effect_,
            largest_weight=self.largest_weight,
            plan=self._plan(),
        )
        self.choice_ = self.by_customer_.choice_
        if self.prior_only_:
            self.choice_ = EffectChoice("prior", "share", "no usable decisions with propensities")
        self.fit_record_ = {
            "decisions": 0 if decisions is None else len(decisions),
            "used": len(rows),
            "waited": int((rows["channel"] == WAIT).sum()),
            "clipped_share": found.clipped_share,
            "estimand": "one step" if sequence is None else "lone contact",
            "channels_with_evidence": int(known.sum()),
            "choice": self.choice_.name,
        }
        return self

    def predict_wait(self, p_pay: npt.ArrayLike) -> Floats:
        """P(pays | wait) from P(pays) under the logging policy, shape (n,): the self-cure score."""
        check_is_fitted(self, "wait_shift_")
        p = np.clip(np.asarray(p_pay, dtype=np.float64), 1e-9, 1 - 1e-9)
        return expit(logit(p) + self.wait_shift_)

    def gain(
        self,
        p_wait: npt.ArrayLike,
        actions: ActionSpace,
        *,
        features: pd.DataFrame | None = None,
        reach: Floats | None = None,
    ) -> Effect:
        """Return what reaching adds for each customer and action.

        Parameters
        ----------
        p_wait : array-like, shape (n,)
            Probability of payment when waiting (`predict_wait`).
        actions : ActionSpace
            The m arms; hours share their channel's effect.
        features : DataFrame, shape (n, k), optional
            As at the fit: used where a difference between customers is shown.
        reach : float array, shape (n, m), optional
            Probability that each action reaches; needed with ``features``.

        Returns
        -------
        Effect
            Arrays of shape (n, m); empty input gives empty arrays.

        Raises
        ------
        ConfigError
            If the action space has a channel unknown at the fit.
        """
        check_is_fitted(self, "wait_shift_")
        position = channel_positions(actions, self.channels_)
        p = np.clip(np.asarray(p_wait, dtype=np.float64), 1e-9, 1 - 1e-9)[:, None]
        # per channel first: hours of one channel are copies
        reached = expit(logit(p) + self.effect_[position])
        spread = reached * (1.0 - reached) * self.spread_[position]
        c = actions.channel_index
        gain, spread, reached = (reached - p)[:, c], spread[:, c], reached[:, c]
        if self.by_customer_.differs and features is not None and reach is not None:
            gain, spread = gain_given_reach(
                self.by_customer_, features, p[:, 0], reach, gain, spread, position[c]
            )
            reached = p + gain
        return Effect(reached, gain, spread)

    def table(self) -> pd.DataFrame:
        """Return one row per arm or channel: its name, effect, spread, drawn; raw figures too."""
        check_is_fitted(self, "effect_")
        plain = hasattr(self, "arms_")
        shown = {"arm": list(self.arms_)} if plain else {"channel": list(self.channels_)}
        names = ("effect", "spread", *(() if plain else ("raw_effect", "raw_error")), "drawn")
        return pd.DataFrame({**shown, **{k: getattr(self, f"{k}_") for k in names}})

    # ---- keeping -------------------------------------------------------------------------

    def to_state(self) -> dict[str, Any]:
        """Return everything needed to predict."""
        return state_of(self)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> EffectModel:
        """Rebuild from `to_state`; predictions are equal bit for bit."""
        return fill(cls(**state["params"]), state)
