"""ContactStrategy: the rooms of the house composed; it delegates and implements nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from tqdm import tqdm

from contactopt.bundle import content_hash, load_bundle, save_bundle
from contactopt.config import StrategyConfig
from contactopt.contracts import Portfolio, ScoredBatch, check_config, check_staleness
from contactopt.contracts.checks import as_instant, check_as_of
from contactopt.strategy.after_the_plan import AfterThePlan
from contactopt.strategy.bundled_config import config_of_bundle
from contactopt.strategy.given import check_given
from contactopt.strategy.safety import LeavesSafety
from contactopt.strategy.telling import TellsOfCustomers
from contactopt.strategy.updating import LearnsFromPlans

if TYPE_CHECKING:
    from contactopt.compliance import RuleBook
    from contactopt.models.card import ModelCard
    from contactopt.plan import ContactPlan, WarmStart

__all__ = ["ContactStrategy"]

#: customers scored at a time: bounds the memory of features and masks
_BLOCK_CUSTOMERS = 10_000
#: the model card's file in a bundle
CARD_FILE = "MODEL_CARD.md"


class ContactStrategy(AfterThePlan, LearnsFromPlans, LeavesSafety, TellsOfCustomers, BaseEstimator):
    """Whom to contact, how and when: fit on a portfolio, score and rank any day after.

    Parameters
    ----------
    config : StrategyConfig, optional
        The strategy file's settings; defaults without.

    Attributes
    ----------
    models_ : FittedModels
        Feature pipeline, payment, amount, reach, effect and harm models.
    policy_ : ContactPolicy
        Exploration and control group.
    segments_ : StageSegments
        Labels of customers by stage and balance.
    behaviours_ : BehaviourSegments or None
        Groups by what customers owe and did; None where the strategy file says so, and in bundles
        from before there were any.
    card_ : ModelCard
        What was fitted on what, how it did on held-out rows, and its limits; MODEL_CARD.md of the
        bundle.
    as_of_ : Timestamp
        Instant of the fit; nothing known later was used.
    fit_record_ : dict
        Rows, seconds, parameters and metrics per part, for tracking.

    Examples
    --------
    >>> import contactopt as co
    >>> portfolio = co.datasets.load_demo(n_customers=50, random_state=0)
    >>> strategy = co.ContactStrategy(
    ...     config=StrategyConfig.from_mapping(
    ...         {"fallback": "cautious", "channels": ["sms", "letter"], "slots": [10]}
    ...     )
    ... )
    >>> plan = strategy.fit(portfolio, as_of=portfolio.latest_instant()).rank(
    ...     portfolio, as_of=portfolio.latest_instant()
    ... )
    >>> len(plan.decisions())
    50
    """

    def __init__(self, *, config: StrategyConfig | None = None) -> None:
        self.config = config if config is not None else StrategyConfig()

    @classmethod
    def from_yaml(cls, path: str | Path) -> ContactStrategy:
        """Read a strategy file; raises `ConfigError` naming all its faults."""
        return cls(config=StrategyConfig.from_yaml(path))

    # ---- learning ------------------------------------------------------------------------

    def fit(
        self,
        portfolio: Portfolio,
        *,
        as_of: str | pd.Timestamp,
        progress: bool = False,
        previous: ContactStrategy | None = None,
    ) -> ContactStrategy:
        """Fit all parts on what is known at ``as_of``.

        Parameters
        ----------
        portfolio : Portfolio
        as_of : Timestamp or str with a zone
            Labels use windows (`objective.horizons`) that had closed by then.
        progress : bool
            Show a bar over the parts.
        previous : ContactStrategy, optional
            Fitted earlier: segments by behaviour keep its names where they go on, and
            ``fit_record_`` says how much labels agree. While safety is on its incumbent is taken
            over, too; nothing else is.

        Returns
        -------
        ContactStrategy
            Itself. With little or no history the parts rest on their priors.

        Raises
        ------
        StalenessError, ConfigError
            Stale tables; a currency without rate, a pool that does not exist.
        """
        from contactopt.journal.terms import open_journal
        from contactopt.models.fitting import FITTED_PARTS, fit_models
        from contactopt.policy import ContactPolicy
        from contactopt.segments import customer_columns
        from contactopt.strategy.segmenting import fit_segments

        instant = as_instant(as_of)
        self._check(portfolio, instant)
        with tqdm(total=len(FITTED_PARTS), desc="fit", disable=not progress) as bar:
            journal = open_journal(portfolio, self.config)
            view = journal.as_of(instant)  # one view for models and segments
            self.models_, parts = fit_models(journal, self.config, instant, on_part=_tick(bar))
        found = fit_segments(view, self.config, previous)
        self.segments_, self.behaviours_, segments = found
        self._start_safety(view, self.segments_.predict(customer_columns(view)), previous)
        exploration = self.config.exploration
        self.policy_ = ContactPolicy.from_state(
            {
                "exploration": exploration.method,
                "exploration_share": exploration.share,
                "exploration_money": exploration.money_per_batch,
                "floor": exploration.floor,
                "tau_learn": exploration.tau_learn,
                "holdout_share": self.config.holdout_share,
            }
        )
        self.as_of_ = instant
        self.fit_record_ = {
            "as_of": instant.isoformat(),
            "customers": portfolio.n_customers,
            "portfolio_hash": portfolio.content_hash,
            "config_hash": self.config.content_hash,
            "rules_version": self._rules(instant).version,
            "parts": parts,
            "segments": segments,
        }
        self.card_ = self._card()
        self.residual_, self.updated_at_, self.update_record_ = None, None, {}
        self._version = None
        return self

    # ---- deciding ------------------------------------------------------------------------

    def score(
        self,
        portfolio: Portfolio,
        *,
        as_of: str | pd.Timestamp,
        random_state: int | None = None,
        progress: bool = False,
    ) -> ScoredBatch:
        """Score every customer and action of the next 24 hours.

        Parameters
        ----------
        portfolio : Portfolio
        as_of : Timestamp or str with a zone
        random_state : int, optional
            Seed of the rotation among customers who share a contact point; default from the
            strategy file.
        progress : bool
            Show a bar over blocks of customers.

        Returns
        -------
        ScoredBatch
            Customers sorted by id; an empty portfolio gives an empty batch.

        Raises
        ------
        NotFittedError
            If the strategy was never fitted.
        StalenessError, ConfigError
            As in `fit`.
        """
        if not hasattr(self, "models_"):
            raise NotFittedError("this ContactStrategy is not fitted yet: call `fit` first")
        instant = as_instant(as_of)
        self._check(portfolio, instant)
        return self._scored(portfolio, instant, self._seed(random_state), progress)

    def rank(
        self,
        portfolio: Portfolio,
        *,
        as_of: str | pd.Timestamp,
        capacity: pd.DataFrame | str | Path | None = None,
        random_state: int | None = None,
        batch_id: str | None = None,
        warm_start: ContactPlan | WarmStart | None = None,
        progress: bool = False,
    ) -> ContactPlan:
        """Draw the next 24 hours' plan: `score`, then `contactopt.rank`.

        Parameters
        ----------
        portfolio : Portfolio
        as_of : Timestamp or str with a zone
        capacity : DataFrame or path, optional
            Wins over the portfolio's own capacity table.
        random_state : int, optional
            Seed of the draw; default from the strategy file.
        batch_id : str, optional
            Unless given, a hash of content, strategy, as_of, capacity, random state and warm start.
        warm_start : ContactPlan or WarmStart, optional
            Yesterday's plan: its prices save passes; see `contactopt.rank`.
        progress : bool

        Returns
        -------
        ContactPlan

        Raises
        ------
        ContractError, StalenessError, ConfigError
            As in `fit`; and if all rows lie after ``as_of``.
        """
        check_given(portfolio, self.config)
        check_as_of(portfolio, as_of)  # a wrong year would be a plan that knows of nobody
        batch = self.score(portfolio, as_of=as_of, random_state=random_state, progress=progress)
        units = portfolio.capacity if capacity is None else capacity
        return self._ranked(batch, units, self._seed(random_state), batch_id, warm_start=warm_start)

    def segment(
        self, portfolio: Portfolio, *, as_of: str | pd.Timestamp, days: int = 30
    ) -> pd.DataFrame:
        """Label every customer, with what `contactopt.segments.profile` tells of the segments.

        See `contactopt.segments.segment_portfolio`; raises as `score` does.
        """
        from contactopt.segments import segment_portfolio

        if not hasattr(self, "segments_"):
            raise NotFittedError("this ContactStrategy is not fitted yet: call `fit` first")
        instant = as_instant(as_of)
        self._check(portfolio, instant)
        return segment_portfolio(
            portfolio,
            self.segments_,
            behaviour=self.behaviours_,
            config=self.config,
            as_of=instant,
            days=days,
        )

    # ---- keeping -------------------------------------------------------------------------

    @property
    def version(self) -> str:
        """Content hash of the fitted strategy's bundle: the policy version of its plans."""
        if getattr(self, "_version", None) is None:
            with tempfile.TemporaryDirectory(prefix="contactopt-") as work:
                self._version = self._save(Path(work) / "bundle")
        assert self._version is not None
        return self._version

    def save(self, folder: str | Path) -> str:
        """Write the bundle (text and JSON with hashes, MODEL_CARD.md) and return its hash."""
        return self._save(Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> ContactStrategy:
        """Read a bundle written by `save`.

        Raises
        ------
        BundleError
            If it is incomplete, altered or of a newer format; nothing of it was parsed then.
        """
        from contactopt.models.card import ModelCard
        from contactopt.models.fitting import models_from_state
        from contactopt.policy import ContactPolicy
        from contactopt.segments import BehaviourSegments, StageSegments

        state = load_bundle(folder, kind="strategy")
        self = cls(config=config_of_bundle(state))
        self.models_ = models_from_state(state["models"])
        self.policy_ = ContactPolicy.from_state(state["policy"])
        self.segments_ = StageSegments.from_state(state.get("segments"))
        behaviours = state.get("behaviours")
        self.behaviours_ = None if behaviours is None else BehaviourSegments.from_state(behaviours)
        self.fit_record_ = state["record"]
        self.as_of_ = pd.Timestamp(self.fit_record_["as_of"])
        self._learned(state.get("update"))
        self._safety_from(state.get("safety"))
        card = state.get("card")
        self.card_ = self._card() if card is None else ModelCard.from_dict(card)
        # the version it was logged under: today's code may write the same state in other bytes
        self._version = content_hash(folder)
        return self

    def _save(self, folder: Path) -> str:
        state = self._state()
        return save_bundle(state, folder, documents={CARD_FILE: self.card_.to_markdown()})

    def _card(self) -> ModelCard:
        from contactopt.models.card import model_card

        return model_card(self.models_, _without_seconds(self.fit_record_), self.config)

    def _state(self) -> dict[str, Any]:
        from contactopt.models.fitting import models_to_state

        if not hasattr(self, "models_"):
            raise NotFittedError("this ContactStrategy is not fitted yet: call `fit` first")
        return {
            "config": self.config.to_mapping(),
            "models": models_to_state(self.models_),
            "policy": self.policy_.to_state(),
            "segments": self.segments_.to_state(),
            **({} if self.behaviours_ is None else {"behaviours": self.behaviours_.to_state()}),
            "record": _without_seconds(self.fit_record_),
            "card": self.card_.to_dict(),
            **({} if self.residual_ is None else {"update": self._update_state()}),
            **self._safety_state(),
        }

    # ---- shared by the verbs ---------------------------------------------------------------

    def _scored(
        self,
        portfolio: Portfolio,
        instant: pd.Timestamp,
        seed: int,
        progress: bool,
        customers: Iterable[object] | None = None,
    ) -> ScoredBatch:
        from contactopt.policy.batch import score_portfolio

        n_blocks = -(-max(portfolio.n_customers, 1) // _BLOCK_CUSTOMERS)
        with tqdm(total=n_blocks, desc="score", disable=not progress) as bar:
            return score_portfolio(
                portfolio,
                models=self.models_,
                rules=self._rules(instant),
                config=self.config,
                as_of=instant,
                random_state=seed,
                policy_version=self.version,
                block_customers=_BLOCK_CUSTOMERS,
                segments=self.segments_,
                residual=self.residual_,
                fitted_as_of=self.as_of_,
                customers=customers,
                on_block=_tick(bar),
            )

    def _check(self, portfolio: Portfolio, instant: pd.Timestamp) -> None:
        check_given(portfolio, self.config)
        check_config(portfolio, self.config)
        check_staleness(portfolio, self.config, instant)

    def _rules(self, instant: pd.Timestamp) -> RuleBook:
        from contactopt.compliance import RuleBook

        return RuleBook.load(self.config.rules, instant)

    def _seed(self, random_state: int | None) -> int:
        return self.config.random_state if random_state is None else int(random_state)


def _tick(bar: Any) -> Callable[[str], None]:
    def tick(name: str) -> None:
        bar.set_postfix_str(name)
        bar.update()

    return tick


def _without_seconds(record: dict[str, Any]) -> dict[str, Any]:
    """Leave out wall time, so that equal fits give equal bundles."""
    parts = {
        name: {k: v for k, v in part.items() if k != "seconds"}
        for name, part in record["parts"].items()
    }
    return {**record, "parts": parts}
