"""What each room makes of a portfolio, as hashes, with models that were fitted once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from usage_world import AS_OF, OUTBOUND, base_portfolio

import contactopt as co
from contactopt.compliance import RuleBook, evaluate, shared_point_rotation
from contactopt.config import StrategyConfig
from contactopt.features import training_pairs
from contactopt.journal import JournalView, payment_labels
from contactopt.journal.terms import open_journal
from contactopt.models.fitting import FittedModels, fit_models, models_to_state
from contactopt.models.reach.attempt_history import attempt_history
from contactopt.policy.scorer import score_block

#: rooms whose content a column or word may change, the cheap ones first
ROOMS = ("attempts", "labels", "features", "mask", "scores", "plan", "models")

# ---- the strategy --------------------------------------------------------------------------------


def strategy_config(folder: Path) -> StrategyConfig:
    """All channels, pools and templates that look at whom they serve, and one local rule."""
    pack = folder / "town.json"
    pack.write_text(json.dumps(_TOWN), encoding="utf-8")
    template = {"channel": "sms", "approved": True}
    return StrategyConfig.from_mapping(
        {
            "objective": {"currency": "USD", "exchange_rates": {"EUR": 1.25}},
            "channels": OUTBOUND,
            "slots": [11],
            "pools": {
                "voice_es": {"unit": "contacts", "serves": _serves(languages=["es"])},
                "voice_fr": {"unit": "contacts", "serves": _serves(jurisdictions=["FR"])},
                "voice_bank": {"unit": "contacts", "serves": _serves(creditors=["other"])},
                "voice": {"unit": "contacts", "serves": _serves()},
            },
            "templates": [
                {"template_id": "book", "books": ["other"], **template},
                {"template_id": "late", "stages": ["late"], **template},
                {"template_id": "pt", "language": "pt", **template},
                {"template_id": "any", **template},
            ],
            "offers": [
                {"offer_id": "an-offer", "valid_days": 5},
                {"offer_id": "little", "kind": "settlement", "discount_share": 0.5},
            ],
            "rules": {"packs": ["us", "co", str(pack)], "fallback": "cautious"},
            "models": {"n_folds": 2, "training_step_days": 14, "num_threads": 1},
        }
    )


def _serves(**more: list[str]) -> dict[str, list[str]]:
    return {"channels": ["call_agent", "call_bot"], **more}


_TOWN = {
    "format": 1,
    "pack": "town",
    "version": "1",
    "researched_on": "2026-01-01",
    "disclaimer": "A test's own.",
    "jurisdictions": ["US"],
    "binds": "always",
    "rules": [
        {
            "id": "town.hours",
            "jurisdiction": "US",
            "locality": "Town",
            "channels": ["*"],
            "kind": "hours",
            "parameters": {
                "windows": [{"days": ["MON", "TUE", "WED", "THU", "FRI"], "start": "10:00",
                             "end": "12:00"}],
            },
        },
        *(
            {
                "id": f"town.{event}",
                "channels": ["visit"],
                "kind": "disclosure",
                "parameters": {"precondition": {"event": event, "wait_days": 36}},
            }
            for event in ("written_notice_mailed", "paper_notice_of_payment_sent")
        ),
        {
            "id": "town.arrangement",
            "channels": ["visit"],
            "kind": "suppression",
            "parameters": {"flag": "bankrupt_or_arrangement_in_place"},
        },
    ],
}  # fmt: skip


# ---- what the rooms make of it -------------------------------------------------------------------


class Fingerprint(Mapping[str, str]):
    """Hash of what each room makes of a portfolio, worked out when it is first asked for."""

    def __init__(self, portfolio: Any, world: UsageWorld) -> None:
        self.portfolio, self.world = portfolio, world
        self._found: dict[str, str] = {}

    def __getitem__(self, room: str) -> str:
        if room not in self._found:
            make: Callable[[], Any] = getattr(self, f"_{room}")
            self._found[room] = _digest(make())
        return self._found[room]

    def __iter__(self) -> Iterator[str]:
        return iter(ROOMS)

    def __len__(self) -> int:
        return len(ROOMS)

    def first_difference(self, other: Fingerprint, rooms: tuple[str, ...] = ROOMS) -> str | None:
        """Return the first room that is not the same, None where all are."""
        return next((room for room in rooms if self[room] != other[room]), None)

    @cached_property
    def view(self) -> JournalView:
        return open_journal(self.portfolio, self.world.config).as_of(self.world.as_of)

    @cached_property
    def verdict(self) -> Any:
        w = self.world
        waits = shared_point_rotation(self.portfolio, w.as_of, 0)["customer_id"]
        return evaluate(
            self.view, rules=w.rules, config=w.config, denied={"house.shared_point": list(waits)}
        )

    @cached_property
    def feature_frame(self) -> pd.DataFrame:
        return self.world.models.features.transform(self.view.journal, as_of=self.world.as_of)

    @cached_property
    def batch(self) -> Any:
        w = self.world
        return score_block(self.view, self.feature_frame, w.models, self.verdict, w.config)

    def _attempts(self) -> pd.DataFrame:
        return attempt_history(self.view)

    def _labels(self) -> list[Any]:
        objective, settings = self.world.config.objective, self.world.config.models
        journal = self.view.journal
        who, when = training_pairs(
            journal,
            as_of=self.world.as_of,
            step_days=settings.training_step_days,
            horizon_days=objective.horizon_days,
            max_rows=settings.max_training_rows,
        )
        return [
            who,
            when,
            payment_labels(
                journal, who, when, horizon_days=objective.horizon_days, as_of=self.world.as_of
            ),
        ]

    def _features(self) -> pd.DataFrame:
        return self.feature_frame

    def _mask(self) -> Any:
        return self.verdict

    def _scores(self) -> Any:
        return self.batch

    def _plan(self) -> list[pd.DataFrame]:
        plan = co.rank(
            self.batch,
            policy=self.world.policy,
            capacity=self.portfolio.capacity,
            pools=self.world.config.pools,
            random_state=0,
            batch_id="b",
        )
        return [plan.to_frame(), plan.decision_actions(), plan.batches()]

    def _models(self) -> dict[str, Any]:
        return models_to_state(
            fit_models(self.view.journal, self.world.config, self.world.as_of)[0]
        )


class UsageWorld:
    """The base portfolio, a strategy, and parts fitted once."""

    def __init__(self, folder: Path) -> None:
        self.base = base_portfolio()
        self.as_of = AS_OF
        self.config = strategy_config(folder)
        strategy = co.ContactStrategy(config=self.config).fit(self.base, as_of=AS_OF)
        self.models: FittedModels = strategy.models_
        self.policy = strategy.policy_
        self.rules = RuleBook.load(self.config.rules, AS_OF)
        self.found = self.fingerprint()

    def fingerprint(
        self, tables: Mapping[str, pd.DataFrame] | None = None, capacity: Any = None
    ) -> Fingerprint:
        """Return what the rooms make of the base with some tables put in place of its own.

        Tables are taken as a loaded portfolio holds them: the loader has nothing to say here.
        """
        changed = SimpleNamespace(
            tables={**self.base.tables, **(tables or {})},
            capacity=self.base.capacity if capacity is None else capacity,
        )
        return Fingerprint(changed, self)


def _digest(content: Any) -> str:
    return hashlib.sha256("\n".join(_texts(content)).encode()).hexdigest()


def _texts(content: Any) -> Iterator[str]:
    """Spell out frames, arrays and anything made of them, in full."""
    if isinstance(content, pd.DataFrame | pd.Series):
        frame = content.to_frame() if isinstance(content, pd.Series) else content
        for name in frame.columns:
            yield str(name)
            yield from _texts(frame[name].to_numpy())
    elif isinstance(content, np.ndarray):
        yield f"{content.shape}"
        plain = content.dtype.kind in "biufmM"
        yield content.tobytes().hex() if plain else ",".join(map(repr, content.ravel().tolist()))
    elif isinstance(content, Mapping):
        for key in content:
            yield str(key)
            yield from _texts(content[key])
    elif isinstance(content, list | tuple):
        yield f"{len(content)}"
        for part in content:
            yield from _texts(part)
    elif hasattr(content, "__dataclass_fields__"):
        yield from _texts({name: getattr(content, name) for name in content.__dataclass_fields__})
    else:
        yield repr(content)
