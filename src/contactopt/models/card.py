"""The model card: what was fitted on what, why, how it did on held-out rows, and its limits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from contactopt.models.card_text import rendered

if TYPE_CHECKING:
    from contactopt.config import StrategyConfig
    from contactopt.models.fitting import FittedModels
    from contactopt.models.report import ModelReport

__all__ = ["ModelCard", "model_card"]

_SHOWN = "shown"
#: keys of the payment model's record that are told as numbers
_HELD_OUT = {
    "held_out_auc": "AUC",
    "held_out_log_loss": "log-loss",
    "base_rate_log_loss": "log-loss of the mere rate",
    "held_out_calibration_error": "calibration error",
    "perfect_calibration_error": "calibration error of a perfect model",
}
_LIMITS = (
    "Probabilities are of paying within the horizon under the contact policy that made the log; "
    "what contact adds is the effect model's answer, and it says where the log cannot tell.",
    "Held-out numbers come from the data of the fit. How the models do on later time, with "
    "slices, is told by `strategy.report(portfolio, as_of=...)`, some weeks after the fit.",
    "Learned on this creditor's customers, channels and laws; elsewhere it is a guess.",
    "Age is not among the columns that segments by behaviour are made of; other columns may "
    "stand for it, which the report by age band shows.",
    "This is not legal advice: what may be done is decided by the rule packs and by people.",
)


@dataclass(frozen=True, eq=False, repr=False)
class ModelCard:
    """A model card as plain facts, as Markdown and as JSON.

    Parameters
    ----------
    facts : dict
        Sections by name: data, parts, payment, amount, effect, hours, segments, limits, and
        ``update`` and ``report`` where there was one. Plain values, no wall-clock time.

    Examples
    --------
    >>> card = ModelCard({"data": {"customers": 3}, "limits": ["few customers"]})
    >>> print(card.to_markdown().splitlines()[0])
    # Model card
    """

    facts: dict[str, Any]

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> Self:
        """Rebuild from `to_dict`."""
        return cls(dict(facts))

    def to_dict(self) -> dict[str, Any]:
        """Return the facts."""
        return dict(self.facts)

    def to_json(self) -> str:
        """Return the facts as JSON text; numbers that are not known are null."""
        return json.dumps(_plain(self.facts), indent=1, ensure_ascii=False, allow_nan=False)

    def to_markdown(self) -> str:
        """Return the card as Markdown."""
        return rendered(self.facts)

    def with_report(self, report: ModelReport) -> ModelCard:
        """Return the card with how the models did on later moments."""
        told = {**report.to_dict(), "markdown": report.to_markdown()}
        return ModelCard({**self.facts, "report": told})

    def with_update(self, models: FittedModels, record: Mapping[str, Any]) -> ModelCard:
        """Return the card with what was learned since the fit; an earlier update is replaced.

        Parameters
        ----------
        models : FittedModels
            As they are now: reach learns from new attempts.
        record : mapping
            ``update_record_`` of the strategy.
        """
        learned = {key: record.get(key) for key in _UPDATE}
        return ModelCard(
            {**self.facts, "hours": _hours(models.reach), "update": _plain(learned, keep_nan=True)}
        )

    def __repr__(self) -> str:
        data = self.facts.get("data", {})
        return f"ModelCard(as_of={data.get('as_of')!r}, customers={data.get('customers')})"

    def _repr_markdown_(self) -> str:
        return self.to_markdown()


def model_card(
    models: FittedModels, record: Mapping[str, Any], config: StrategyConfig
) -> ModelCard:
    """Make the card of fitted models.

    Parameters
    ----------
    models : FittedModels
    record : mapping
        ``fit_record_`` of the strategy, without seconds.
    config : StrategyConfig

    Returns
    -------
    ModelCard
        What a model of an earlier version does not tell is left out.
    """
    facts = {
        "data": {
            **{k: record.get(k) for k in _DATA},
            "horizon_days": float(config.objective.horizon_days),
            **_own_horizons(config),
            "currency": config.objective.currency,
            "label": "paid: a voluntary or direct-debit payment on any debt of the customer within "
            "the horizon after a moment; windows closed by as_of, never cut at a contact",
        },
        "parts": {
            name: {"rows": part.get("rows"), "metrics": dict(part.get("metrics", {}))}
            for name, part in record.get("parts", {}).items()
        },
        "payment": _payment(models.payment),
        "amount": _numbers(getattr(models.amount, "fit_record_", {})),
        "effect": _effect(models.effect),
        "hours": _hours(models.reach),
        "segments": dict(record.get("segments", {})),
        "limits": [*_own_limits(models, record), *_LIMITS],
    }
    return ModelCard(_plain(facts, keep_nan=True))


def _own_horizons(config: StrategyConfig) -> dict[str, Any]:
    """Say which stages have another horizon; nothing where all have the same."""
    own = config.objective.horizons.by_stage
    return {"horizon_days_by_stage": own} if own else {}


_UPDATE = ("as_of", "batches", "decisions", "mature", "residual", "delay")
_DATA = ("as_of", "customers", "portfolio_hash", "config_hash", "rules_version")


def _payment(model: Any) -> dict[str, Any]:
    told = dict(getattr(model, "fit_record_", {}))
    if not told.get("learner"):
        return {"learner": "prior", "why": "too few rows"}
    n = int(told.get("held_out_rows", 0))
    why = {
        "prior": "too few rows, or too few of a class: a prior by days past due",
        "blend": "least held-out log-loss is that of a mixture of both learners",
        "logistic": "least held-out log-loss is that of a regularised logistic regression",
        "lightgbm": "least held-out log-loss is that of LightGBM",
    }
    numbers = {
        label: {
            "value": told[key],
            "low": told.get(f"{key}_low"),
            "high": told.get(f"{key}_high"),
        }
        for key, label in _HELD_OUT.items()
        if key in told
    }
    return {
        "learner": told["learner"],
        "why": why.get(str(told["learner"]), ""),
        "validation": told.get("validation"),
        "rows": told.get("rows"),
        "paying_rows": told.get("paying_rows"),
        "held_out_rows": n,
        "held_out": numbers,
        "calibration": told.get("calibration"),
        "drift": told.get("drift") or {},
        "verdict": list(told.get("verdict", [])),
    }


def _effect(model: Any) -> dict[str, Any]:
    choice = getattr(model, "choice_", None)
    out = {"prior_only": bool(getattr(model, "prior_only_", False))}
    if (estimand := getattr(model, "fit_record_", {}).get("estimand")) is not None:
        out["estimand"] = estimand
    if choice is not None:
        out |= {
            "choice": choice.name,
            "verdict": choice.verdict,
            "propensity": choice.propensity,
            "candidates": choice.candidates.to_dict("records"),
        }
    return out


def _hours(model: Any) -> dict[str, Any]:
    return {
        str(name): {k: told.get(k) for k in ("verdict", "reason", "p_value", "attempts")}
        for name, told in getattr(model, "hour_effect_", {}).items()
    }


def _own_limits(models: FittedModels, record: Mapping[str, Any]) -> list[str]:
    out = []
    if getattr(models.payment, "cold_start_", False):
        out.append("Too few rows to learn who pays: probabilities are a prior by days past due.")
    if getattr(models.effect, "prior_only_", False):
        out.append(
            "No logged decisions to learn from: what contact adds is a prior, not a finding."
        )
    hours = _hours(models.reach)
    if hours and not any(h["verdict"] == _SHOWN for h in hours.values()):
        out.append("No hour effect is shown: hours are chosen by law and capacity, not by reach.")
    if record.get("segments", {}).get("separated") is False:
        out.append("Segments by behaviour cut a continuum: there are no gaps between them.")
    return out


def _numbers(record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        str(k): v
        for k, v in record.items()
        if isinstance(v, int | float | str | bool | np.number) and k != "seconds"
    }


def _plain(value: Any, *, keep_nan: bool = False) -> Any:
    """Return plain values with text keys; numbers that are not known are None unless kept."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v, keep_nan=keep_nan) for k, v in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(v, keep_nan=keep_nan) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value) and not keep_nan:
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)
