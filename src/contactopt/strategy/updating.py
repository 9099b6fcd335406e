"""From outcomes back into the strategy: `update` between one plan and the next."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pandas as pd
from sklearn.exceptions import NotFittedError
from tqdm import tqdm

from contactopt.contracts.checks import as_instant
from contactopt.errors import LeakageError

if TYPE_CHECKING:
    from contactopt.config import StrategyConfig
    from contactopt.contracts import Portfolio
    from contactopt.models.card import ModelCard
    from contactopt.models.fitting import FittedModels
    from contactopt.plan import DecisionLog
    from contactopt.policy.residual import ResidualLayer

__all__ = ["LearnsFromPlans"]


class LearnsFromPlans:
    """The verb of `ContactStrategy` that closes the loop.

    Attributes
    ----------
    residual_ : ResidualLayer or None
        What decisions since the fit say that the models' scores miss; None before any update.
    updated_at_ : Timestamp or None
        Instant of the newest update.
    update_record_ : dict
        What it read: batches, decisions and what became of them, money, delays, corrections.
    """

    config: StrategyConfig
    models_: FittedModels
    as_of_: pd.Timestamp
    card_: ModelCard
    # on the class: parts put together by hand have never been updated
    residual_: ResidualLayer | None = None
    updated_at_: pd.Timestamp | None = None
    update_record_: dict[str, Any]
    _version: str | None
    _check: Any
    _judged: Any

    def update(
        self,
        portfolio: Portfolio,
        *,
        as_of: str | pd.Timestamp,
        log: DecisionLog | str | Path | None = None,
        progress: bool = False,
    ) -> Self:
        """Learn from what has become known since the fit: attempts, and outcomes of decisions.

        Reach and harm are taken from all touches known now, planned or not. Decisions drawn since
        the fit correct the models' effects (`ResidualLayer`): by the drawn action and its logged
        probability, whether it was carried out or not, with the money of the whole window. What
        is still to come of an open window is expected by channel, stage, age and calendar, never
        taken as zero. Payment, amount and effect models stay as fitted; `fit` renews them, and the
        corrections start empty again.

        Everything is counted anew from tables and log, so that updating twice changes nothing, late
        rows and reversals find their decision, and thirty small updates equal one large one bit
        for bit.

        Parameters
        ----------
        portfolio : Portfolio
            The tables as they are now; touches name the decision that they carry out.
        as_of : Timestamp or str with a zone
            Nothing known later is used; not before the fit.
        log : DecisionLog or path, optional
            The folder that plans were written to. Without it nothing is known of the decisions'
            probabilities, and only reach and harm learn.
        progress : bool
            Show a bar over batches.

        Returns
        -------
        ContactStrategy
            Itself, with a version of its own (`version`).

        Raises
        ------
        NotFittedError
            If the strategy was never fitted.
        LeakageError
            If ``as_of`` lies before the fit.
        StalenessError, ConfigError
            As in `score`.
        ContractError
            If the log is damaged, or a decision stands in it twice. Nothing has changed then.
        """
        from contactopt.journal.terms import open_journal
        from contactopt.learning import learn_from_log, refreshed_models
        from contactopt.plan import read_decisions

        if not hasattr(self, "models_"):
            raise NotFittedError("this ContactStrategy is not fitted yet: call `fit` first")
        instant = as_instant(as_of)
        if instant < self.as_of_:
            raise LeakageError(
                f"an update as of {instant:%Y-%m-%dT%H:%MZ} would keep what was learned later, "
                f"as of {self.as_of_:%Y-%m-%dT%H:%MZ}",
                hint="load an earlier version of the strategy, or fit anew",
            )
        self._check(portfolio, instant)
        opened = read_decisions(log) if isinstance(log, str | Path) else log
        view = open_journal(portfolio, self.config).as_of(instant)
        n_batches = 0 if opened is None else len(opened.batches)
        with tqdm(total=n_batches + 1, desc="update", disable=not progress) as bar:

            def tick(name: str) -> None:
                bar.set_postfix_str(name)
                bar.update()

            learned = learn_from_log(
                opened,
                view,
                models=self.models_,
                config=self.config,
                since=self.as_of_,
                on_batch=tick,
            )
            models = refreshed_models(self.models_, view, self.config)
            verdict = self._judged(opened, view)
            tick("reach and harm")
        if learned.treatment is not None:
            models = replace(models, treatment=learned.treatment)
        record = {
            "as_of": instant.isoformat(),
            "portfolio_hash": portfolio.content_hash,
            **learned.record,
            **({} if verdict is None else {"safety": verdict.to_state()}),
        }
        # last of all: an error before leaves the strategy as it was
        self.card_, self.update_record_ = self.card_.with_update(models, record), record
        self.models_, self.residual_ = models, learned.residual
        self.updated_at_, self._version, self.verdict_ = instant, None, verdict
        return self

    # ---- keeping ---------------------------------------------------------------------------

    def _update_state(self) -> dict[str, Any]:
        assert self.residual_ is not None
        assert self.updated_at_ is not None
        return {
            "as_of": self.updated_at_.isoformat(),
            "residual": self.residual_.to_state(),
            "record": self.update_record_,
        }

    def _learned(self, state: dict[str, Any] | None) -> None:
        """Take up what a bundle holds of updates; None: there was none."""
        from contactopt.policy.residual import ResidualLayer

        if state is None:
            self.residual_, self.updated_at_, self.update_record_ = None, None, {}
            return
        self.residual_ = ResidualLayer.from_state(state["residual"])
        self.updated_at_ = pd.Timestamp(state["as_of"])
        self.update_record_ = dict(state["record"])
