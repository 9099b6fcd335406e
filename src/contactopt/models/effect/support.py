"""What a log can tell about other policies, before anything is trained: where nothing was tried.

A policy can be judged, and an effect learned, only where the old one left it a chance. Customers
whom it would (almost) never have left alone, or never have tried a channel on, say nothing about
waiting or that channel, however many they are (Crump, Hotz, Imbens and Mitnik, Biometrika 2009, on
limited overlap). The share of the *money* on them is the part of the portfolio for which any
verdict is a guess.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.config import StrategyConfig
from contactopt.contracts.vocabulary import WAIT
from contactopt.errors import ContractError
from contactopt.features import FeaturePipeline, training_pairs
from contactopt.journal import Journal
from contactopt.journal.local_time import DAY_US
from contactopt.models.effect.logging_policy import estimated_policy
from contactopt.models.learners.boosted import BoostingPlan
from contactopt.models.learners.encoder import Encoder
from contactopt.models.learners.splits import group_hash

__all__ = ["SupportReport", "logged_probabilities", "support_report"]

Floats = npt.NDArray[np.float64]
#: decisions from which the logging policy is estimated, at most
_MAX_ROWS = 10_000
_STEP_DAYS = 7.0


@dataclass(frozen=True)
class SupportReport:
    """Share of the money that a log cannot speak for, per arm.

    Parameters
    ----------
    table : DataFrame
        One row per arm, ``wait`` first: arm, customers (for whom the arm was possible),
        customer_share (of them below the threshold), money_share (of their money), lowest and
        median (probability).
    source : str
        "logged", "estimated from decisions", "estimated from touches" or "none".
    threshold : float
    customers : int
        Customers judged.
    money_share : float
        Share of the portfolio's money that belongs to them; the rest was never decided on.
    verdict : str
    """

    table: pd.DataFrame
    source: str
    threshold: float
    customers: int
    money_share: float
    verdict: str

    def __repr__(self) -> str:
        shown = self.table.copy()
        for name in ("customer_share", "money_share"):
            shown[name] = [f"{100 * v:.1f} %" for v in shown[name]]
        for name in ("lowest", "median"):
            shown[name] = [f"{v:.2g}" for v in shown[name]]
        head = (
            f"SupportReport({self.customers:,} customers with {100 * self.money_share:.0f} % of "
            f"the money; probabilities: {self.source}; below {self.threshold:g})"
        )
        lines = [head, self.verdict]
        if len(shown):
            lines.append(shown.to_string(index=False))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        first, verdict = repr(self).split("\n")[:2]
        return f"<b>{escape(first)}</b><p>{escape(verdict)}</p>{self.table.to_html(index=False)}"

    def to_mapping(self) -> dict[str, Any]:
        """Return plain values, for records."""
        return {
            "source": self.source,
            "threshold": self.threshold,
            "customers": self.customers,
            "money_share": self.money_share,
            "verdict": self.verdict,
            "arms": self.table.to_dict("records"),
        }


def logged_probabilities(actions: pd.DataFrame, decisions: pd.DataFrame) -> pd.DataFrame:
    """Add up the logged probabilities of considered actions per channel.

    Parameters
    ----------
    actions : DataFrame
        decision_actions: decision_id, action_id (``wait`` or channel, ``@`` and hour), probability.
    decisions : DataFrame
        decision_id, customer_id and, if there, holdout; control customers are left out.

    Returns
    -------
    DataFrame
        One row per decision: customer_id, ``wait`` and a column per channel; NaN where every
        action of the channel had probability 0: it was not possible.
    """
    if "holdout" in decisions:
        decisions = decisions[~decisions["holdout"].fillna(False).astype(bool)]
    place = pd.Index(decisions["decision_id"]).get_indexer(pd.Index(actions["decision_id"]))
    code, ids = pd.factorize(actions["action_id"], sort=True)
    arm, arms = pd.factorize(pd.Index([str(a).split("@")[0] for a in ids]), sort=True)
    told = (place >= 0) & (code >= 0)
    n, m = len(decisions), max(len(arms), 1)
    cell = place[told] * m + np.asarray(arm)[code[told]]
    p = actions["probability"].to_numpy(dtype=np.float64)[told]
    total = np.bincount(cell, weights=p, minlength=n * m).reshape(n, m)
    wide = pd.DataFrame(np.where(total > 0, total, np.nan), columns=list(arms) or [WAIT])
    wide.insert(0, "customer_id", decisions["customer_id"].to_numpy(dtype=object))
    return wide


def support_report(
    journal: Journal,
    config: StrategyConfig,
    as_of: Any,
    *,
    logged: pd.DataFrame | None = None,
    threshold: float = 1e-3,
    max_rows: int = _MAX_ROWS,
) -> SupportReport:
    """Report how much money lies on customers whom the old policy never (or always) contacted.

    Parameters
    ----------
    journal : Journal
    config : StrategyConfig
    as_of : Timestamp
        Nothing that became known later is used; the money is what is past due then.
    logged : DataFrame, optional
        `logged_probabilities` of the log of considered actions. Without it a calibrated model of
        the logging policy is fitted to the decisions, or, without any, to the touches: what it
        says is marked as estimated.
    threshold : float
        Probabilities below it count as no chance.
    max_rows : int
        Decisions from which the logging policy is estimated, at most (whole customers).

    Returns
    -------
    SupportReport
        Probabilities are averaged over a customer's decisions. An empty log gives an empty table.
    """
    view = journal.as_of(as_of)
    money = np.zeros(len(view.customer_ids))
    due = np.nan_to_num(view.debts["past_due_now"].to_numpy(dtype=np.float64))
    np.add.at(money, view.debts["customer"].to_numpy(dtype=np.int64), np.maximum(due, 0.0))
    if logged is not None:
        if WAIT not in logged or "customer_id" not in logged:
            raise ContractError(
                "support_report: logged probabilities need customer_id, wait and a column per "
                "channel",
                hint="contactopt.models.logged_probabilities(actions, decisions) makes them",
            )
        who = pd.Index(view.customer_ids).get_indexer(pd.Index(logged["customer_id"]))
        source = "logged"
        wide = logged.drop(columns="customer_id")
    else:
        who, wide, source = _estimated(journal, config, as_of, view, max_rows)
    arms = [WAIT, *sorted(c for c in wide.columns if c != WAIT)]
    wide = wide[arms] if len(wide.columns) else pd.DataFrame(columns=arms, dtype=float)
    keep = np.asarray(who) >= 0
    p = wide[keep].astype(np.float64).groupby(np.asarray(who)[keep]).mean()
    return _report(p, money, source, threshold)


def _estimated(
    journal: Journal, config: StrategyConfig, as_of: Any, view: Any, max_rows: int
) -> tuple[npt.NDArray[np.int64], pd.DataFrame, str]:
    """Return customers and estimated probabilities of every arm, of decisions or of touches."""
    decisions = view.decisions[~view.decisions["holdout"].to_numpy(dtype=bool)]
    if len(decisions):
        who = decisions["customer"].to_numpy(dtype=np.int64)
        when = decisions["decided_us"].to_numpy(dtype=np.int64)
        drawn = decisions["channel"].astype(object).to_numpy()
        source = "estimated from decisions"
    else:
        who, when = training_pairs(
            journal,
            as_of=as_of,
            step_days=_STEP_DAYS,
            horizon_days=1.0,
            max_rows=max_rows,
            random_state=config.random_state,
        )
        drawn = _next_channel(view.touches, who, when)
        source = "estimated from touches"
    if len(who) == 0:
        return who, pd.DataFrame(), "none"
    ids = group_hash(journal.customer_ids[who], random_state=config.random_state)
    if len(who) > max_rows:
        take = ids <= np.quantile(ids, max_rows / len(ids))
        who, when, drawn, ids = who[take], when[take], drawn[take], ids[take]
    arms = sorted({c for c in drawn if c != WAIT})
    pipeline = FeaturePipeline().fit(journal, customers=who, as_of=when)
    X = pipeline.transform(journal, customers=who, as_of=when)
    encoder = Encoder.learn(X)
    p = estimated_policy(
        encoder.encode(X).to_numpy(dtype=np.float64),
        pd.Index([WAIT, *arms]).get_indexer(pd.Index(drawn)) - 1,
        ids,
        n_arms=len(arms),
        categories=encoder.category_positions([str(c) for c in X.columns]),
        plan=BoostingPlan(max_bin=63, bagging_fraction=1.0, num_threads=config.models.num_threads),
    )
    return who, pd.DataFrame(p, columns=[WAIT, *arms]), source


def _next_channel(
    touches: pd.DataFrame, who: npt.NDArray[np.int64], when: npt.NDArray[np.int64]
) -> npt.NDArray[np.object_]:
    """Channel of the first outbound touch within a day after each instant, else ``wait``."""
    out = np.full(len(who), WAIT, dtype=object)
    mine = touches[(touches["direction"] == "outbound").to_numpy()]
    frame = pd.DataFrame(
        {
            "customer": mine["customer"].to_numpy(dtype=np.int64),
            "at": mine["started_us"].to_numpy(dtype=np.int64),
            "channel": mine["channel"].astype(object).to_numpy(),
        }
    ).sort_values(["at", "customer", "channel"], kind="stable")
    asked = pd.DataFrame({"customer": who, "at": when, "row": np.arange(len(who))})
    found = pd.merge_asof(
        asked.sort_values("at", kind="stable"),
        frame,
        on="at",
        by="customer",
        direction="forward",
        tolerance=DAY_US,
    )
    hit = found["channel"].notna().to_numpy()
    out[found["row"].to_numpy()[hit]] = found["channel"].to_numpy(dtype=object)[hit]
    return out


def _report(p: pd.DataFrame, money: Floats, source: str, threshold: float) -> SupportReport:
    customers = p.index.to_numpy(dtype=np.int64)
    mine, total = money[customers], float(money.sum())
    rows = []
    for arm in p.columns:
        values = p[arm].to_numpy(dtype=np.float64)
        possible = ~np.isnan(values)
        below = possible & (values < threshold)
        held = float(mine[possible].sum())
        known = values[possible]
        rows.append(
            {
                "arm": arm,
                "customers": int(possible.sum()),
                "customer_share": float(below.sum() / max(possible.sum(), 1)),
                "money_share": float(mine[below].sum() / held) if held > 0 else 0.0,
                "lowest": float(known.min()) if len(known) else np.nan,
                "median": float(np.median(known)) if len(known) else np.nan,
            }
        )
    table = pd.DataFrame(
        rows, columns=["arm", "customers", "customer_share", "money_share", "lowest", "median"]
    )
    covered = float(mine.sum()) / total if total > 0 else 0.0
    return SupportReport(
        table, source, threshold, len(customers), covered, _words(table, source, threshold)
    )


def _words(table: pd.DataFrame, source: str, threshold: float) -> str:
    if len(table) == 0 or source == "none" or not table["customers"].any():
        return "nothing is logged: effects rest on priors, and no policy can be judged by the past"
    waiting = float(table.loc[table["arm"] == WAIT, "money_share"].iloc[0])
    worst = table[table["arm"] != WAIT].sort_values(["money_share", "arm"], ascending=[False, True])
    guess = "" if source == "logged" else " (an estimate: log the probabilities to know)"
    text = (
        f"{100 * waiting:.1f} % of the money lies on customers whom the old policy would hardly "
        f"ever have left alone (p < {threshold:g}){guess}"
    )
    if len(worst) and float(worst["money_share"].iloc[0]) > 0:
        one = worst.iloc[0]
        text += f"; {100 * one['money_share']:.1f} % was hardly ever tried by {one['arm']}"
    return text
