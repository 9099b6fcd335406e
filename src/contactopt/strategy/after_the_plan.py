"""What a fitted strategy does once plans are out: score anew on an event, recheck, replay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from sklearn.exceptions import NotFittedError

from contactopt.config import StrategyConfig
from contactopt.contracts import Portfolio, ScoredBatch
from contactopt.contracts.checks import as_instant
from contactopt.errors import ConfigError

if TYPE_CHECKING:
    from contactopt.models import SupportReport
    from contactopt.models.card import ModelCard
    from contactopt.models.fitting import FittedModels
    from contactopt.models.report import ModelReport
    from contactopt.plan import ContactPlan, DecisionLog, ReplayReport, WarmStart
    from contactopt.policy import ContactPolicy
    from contactopt.segments import StageSegments

__all__ = ["AfterThePlan"]


class AfterThePlan:
    """Verbs of `ContactStrategy` between one plan and the next."""

    config: StrategyConfig
    models_: FittedModels
    segments_: StageSegments
    card_: ModelCard
    version: str
    rank: Any
    _check: Any
    policy_: ContactPolicy
    _rules: Any
    _seed: Any
    residual_: Any = None
    _safety_terms: Any
    _scored: Any

    def on_event(
        self,
        portfolio: Portfolio | Mapping[str, Any],
        events: Mapping[str, Any],
        *,
        as_of: str | pd.Timestamp,
        customer_id: object = None,
        random_state: int | None = None,
    ) -> ScoredBatch:
        """Score one customer anew at once, because something happened.

        Parameters
        ----------
        portfolio : Portfolio or mapping of str to frame
            The portfolio, or the tables of one customer (checked anew, slowly); never changed.
        events : mapping of str to frame or list of dict
            Contract table to new rows; a row with a key that is there replaces it.
        as_of : Timestamp or str with a zone
            Now; rows that become known later have no effect.
        customer_id, random_state : optional
            Default: whom the rows name, by customer, debt or touch; the seed as in `score`.

        Returns
        -------
        ScoredBatch
            Of this customer: the same mask, reasons and values as `score` of the portfolio with
            the new rows. ``contactopt.rank(batch, policy=strategy.policy_)`` draws from it; the
            capacities of the running batch are not solved anew.

        Raises
        ------
        ContractError
            A row is faulty or does not lead to exactly one customer. Others as in `score`.
        """
        from contactopt.policy.inbound import score_after_event

        if not hasattr(self, "models_"):
            raise NotFittedError("this ContactStrategy is not fitted yet: call `fit` first")
        instant = as_instant(as_of)
        if not isinstance(portfolio, Portfolio):
            portfolio = Portfolio.from_frames(portfolio, extra_channels=self.config.channels)
        self._check(portfolio, instant)
        return score_after_event(
            portfolio,
            events,
            models=self.models_,
            rules=self._rules(instant),
            config=self.config,
            as_of=instant,
            random_state=self._seed(random_state),
            policy_version=self.version,
            customer_id=customer_id,
            segments=self.segments_,
            residual=self.residual_,
        )

    def recheck(
        self, plan: ContactPlan | str | Path, portfolio: Portfolio, *, as_of: str | pd.Timestamp
    ) -> pd.DataFrame:
        """Return the contacts not yet started to withdraw by what is known before dispatch.

        Parameters
        ----------
        plan : ContactPlan or path
            A plan, or the folder that it was written to.
        portfolio : Portfolio
        as_of : Timestamp or str with a zone
            Now.

        Returns
        -------
        DataFrame
            Contacts to withdraw with the rules against them, see `contactopt.plan.recheck`.

        Raises
        ------
        StalenessError, ConfigError
            Tables too old to judge by (then nothing should go out); no plan, or one made later.
        """
        from contactopt.plan import read_plan, recheck

        instant = as_instant(as_of)
        self._check(portfolio, instant)
        rows = read_plan(plan).rows if isinstance(plan, str | Path) else plan.to_frame()
        return recheck(rows, portfolio, instant, config=self.config, rules=self._rules(instant))

    def replan(
        self,
        portfolio: Portfolio,
        *,
        as_of: str | pd.Timestamp,
        earlier: ContactPlan | DecisionLog | str | Path,
        capacity: pd.DataFrame | str | Path | None = None,
        random_state: int | None = None,
        batch_id: str | None = None,
        progress: bool = False,
    ) -> ContactPlan:
        """Plan again within the day: what stands is fixed, the rest of the capacity is drawn anew.

        Drawn are customers without a decision, those whose contact was withdrawn (by `recheck`, or
        told as not dispatched) and those from whom everything was blocked and to whom something is
        open now. Everybody else keeps the earlier decision, waiting included, and has no new line
        in the log. No pool, day or hour takes more over the whole day than its capacity.

        Parameters
        ----------
        portfolio : Portfolio
            As it stands now.
        as_of : Timestamp or str with a zone
            Now; inside the earlier plan's window.
        earlier : ContactPlan, DecisionLog or path
            The plan of the day, or the folder that it was written to; may be a re-plan itself.
        capacity : DataFrame or path, optional
            Of the whole day, not of what is left. Default: the portfolio's own, else that of the
            day's first plan.
        random_state : int, optional
            Seed of the draw; default from the strategy file.
        batch_id : str, optional
            Unless given, a hash of content, strategy, as_of, capacity, random state and the
            earlier batch.
        progress : bool

        Returns
        -------
        ContactPlan
            Of those who were drawn, with probabilities given the decisions that stand;
            ``replanned.standing`` has the contacts that stay and those that were withdrawn.
            Written into a folder, plan.parquet has both, and the batch's row names the batch that
            it ``replans``.

        Raises
        ------
        ConfigError
            If ``as_of`` lies before the earlier plan or after its window; others as in `rank`.
        StalenessError
            Tables too old to judge by.
        """
        from contactopt.strategy.replanning import replan

        if not hasattr(self, "models_"):
            raise NotFittedError("this ContactStrategy is not fitted yet: call `fit` first")
        instant = as_instant(as_of)
        self._check(portfolio, instant)
        return replan(
            self,
            portfolio,
            instant,
            earlier,
            capacity=capacity,
            random_state=self._seed(random_state),
            batch_id=batch_id,
            progress=progress,
        )

    def report(
        self,
        portfolio: Portfolio,
        *,
        as_of: str | pd.Timestamp,
        by: Sequence[str] = ("stage", "bucket", "product", "channel", "age_band"),
        capacity: float = 0.2,
        max_rows: int = 50_000,
        level: float = 0.95,
    ) -> ModelReport:
        """Judge the payment and amount models by what happened after the fit.

        Every moment lies at or after the fit, and its label window has closed by ``as_of``: no
        window is shared with those that were trained on. Customers are clusters of all intervals.

        Parameters
        ----------
        portfolio : Portfolio
            Grown since the fit.
        as_of : Timestamp or str with a zone
            Later than the fit by the longest horizon and the delay of payments at least.
        by : sequence of str
            Columns to slice by, as they stood at each moment: stage, segment, balance_band,
            behaviour, bucket, product, age_band, channel (of the last contact in 30 days), any
            feature or column of customers (numbers in four bands).
        capacity : float
            Share contacted at which capture and lift are told.
        max_rows : int
            Moments scored, about.
        level : float

        Returns
        -------
        ModelReport
            Numbers, slices, reliability, gain, drift since the fit; ``to_markdown()``, plots.

        Raises
        ------
        LeakageError
            No moment after the fit has a closed window: there is nothing honest to judge by.
        ConfigError
            A column that does not exist. Others as in `score`.
        """
        from contactopt.strategy.reporting import report_on

        if not hasattr(self, "models_"):
            raise NotFittedError("this ContactStrategy is not fitted yet: call `fit` first")
        instant = as_instant(as_of)
        self._check(portfolio, instant)
        return report_on(
            self, portfolio, instant, by=by, capacity=capacity, max_rows=max_rows, level=level
        )

    def model_card(self, report: ModelReport | None = None) -> ModelCard:
        """Return the model card, with a report on later moments where one is given.

        The bundle keeps ``card_``, the card of the fit: a report changes no version.
        """
        if not hasattr(self, "models_"):
            raise NotFittedError("this ContactStrategy is not fitted yet: call `fit` first")
        return self.card_.with_report(report) if report is not None else self.card_

    def support(
        self,
        portfolio: Portfolio,
        *,
        as_of: str | pd.Timestamp,
        log: DecisionLog | str | Path | None = None,
    ) -> SupportReport:
        """Report, before any training, for how much of the money the past can say nothing.

        Parameters
        ----------
        portfolio : Portfolio
        as_of : Timestamp or str with a zone
        log : DecisionLog or path, optional
            The folder that `ContactPlan.write` wrote to: probabilities of all considered actions.
            Without it they are estimated from the portfolio's decisions or touches, and marked so.

        Returns
        -------
        SupportReport
            Share of the money on customers whose probability of waiting, or of a channel, lies
            under 0.001. The strategy need not be fitted.
        """
        from contactopt.journal.terms import open_journal
        from contactopt.models import support_report
        from contactopt.plan import DecisionLog, read_decisions
        from contactopt.strategy.logged_support import logged_by_channel

        instant = as_instant(as_of)
        self._check(portfolio, instant)
        logged = None
        if log is not None:
            opened = log if isinstance(log, DecisionLog) else read_decisions(log)
            logged = logged_by_channel(opened, instant)
        journal = open_journal(portfolio, self.config)
        return support_report(journal, self.config, instant, logged=logged)

    def replay(
        self,
        log: DecisionLog | str | Path,
        batch_id: str | None = None,
        portfolio: Portfolio | None = None,
    ) -> ReplayReport:
        """Do a logged batch again from this bundle and the tables, and compare bit for bit.

        Parameters
        ----------
        log : DecisionLog or path
            As `contactopt.read_decisions` opens it.
        batch_id : str, optional
            The newest batch without it.
        portfolio : Portfolio
            The tables of that day, or the same tables grown since: what was known later changes
            nothing, and customers who came later are left out.

        Returns
        -------
        ReplayReport
            Reasons, values, probabilities and the draw of every decision: how many were compared
            and equal, and where the first differences lie. Versions that differ stand first.

        Raises
        ------
        ConfigError
            If the log holds no whole batch of that id, or no portfolio is given.
        ContractError
            If files of the batch are missing or damaged.
        NotFittedError
            If the strategy was never fitted.
        """
        from contactopt.plan import DecisionLog, read_decisions
        from contactopt.plan.log.strategy_replay import replay_with

        if portfolio is None:
            raise ConfigError(
                "a replay from tables needs a portfolio",
                hint="give portfolio=; `read_decisions(folder).replay()` needs the log alone",
            )
        opened = log if isinstance(log, DecisionLog) else read_decisions(log)
        wanted = opened.batch_ids[-1] if batch_id is None else batch_id
        return replay_with(self, opened, wanted, portfolio)

    def _ranked(
        self,
        batch: ScoredBatch,
        capacity: pd.DataFrame | str | Path | None,
        seed: int,
        batch_id: str | None,
        *,
        warm_start: ContactPlan | WarmStart | None = None,
    ) -> ContactPlan:
        from contactopt.plan import rank

        return rank(
            batch,
            policy=self.policy_,
            capacity=capacity,
            pools=self.config.pools,
            random_state=seed,
            batch_id=batch_id,
            safety=self._safety_terms(),
            warm_start=warm_start,
        )
