"""Published vectors for US federal law and Colombia: verdict and deciding rules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from lawful_worlds import simple, touch, view_of

from contactopt.compliance import RuleBook, evaluate
from contactopt.config import StrategyConfig

DATA = json.loads(Path(__file__).with_name("vectors_us_co.json").read_text("utf-8"))
#: our own statement of the same fact, beside the law's
OURS = {
    "us.regf.consumer_time_place": {"house.inconvenient_time"},
    "us.regf.attorney": {"house.represented"},
    "us.regf.workplace": {"house.workplace"},
    "us.bankruptcy": {"house.bankruptcy"},
    # a revoked text also is a medium the consumer refused, and no longer a consent
    "us.tcpa.revocation": {
        "house.consent_revoked",
        "us.regf.medium_optout",
        "us.regf.sms_safe_harbor",
        "us.tcpa.auto_consent",
    },
}


def tables_of(x: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    open_debts = x.get("debts", ["A"])
    tables = simple(x["jurisdiction"], x["zones"][0], ownership=x["ownership"], debts=("A", "B"))
    for row in tables["debt_snapshots"]:
        row["status"] = "open" if row["debt_id"] in open_debts else "settled"
    for point in tables["contact_points"]:
        point["place"] = x.get("place", "home")
        point["time_zone"] = x["zones"][-1]
    tables["customers"].append({"customer_id": "OTHER", "jurisdiction": "US", "time_zone": None})
    tables["touches"], tables["touch_debts"] = [], []
    for i, e in enumerate(x.get("events", [])):
        more = {k: e[k] for k in ("direction", "collector", "customer_id") if k in e}
        tables["touches"].append(
            touch(
                e["at"],
                e["channel"],
                e["outcome"],
                touch_id=f"T{i}",
                contact_point_id=e.get("point"),
                **more,
            )
        )
        debts = e.get("debts", ["A"])
        tables["touch_debts"] += [{"touch_id": f"T{i}", "debt_id": d} for d in debts]
    tables["consents"] = [
        {"customer_id": "C", "channel": c, "status": status, "changed_at": at}
        for c, status, at in x.get("consents", [])
    ]
    tables["holds"] = [
        {
            "hold_id": kind,
            "customer_id": "C",
            "kind": kind,
            "starts_at": "2025-01-01",
            "detail": '{"start": "12:00", "end": "13:00"}' if kind == "inconvenient_time" else None,
        }
        for kind in x.get("holds", [])
    ]
    return tables


@pytest.mark.parametrize("x", DATA["vectors"], ids=lambda x: x["id"])
def test_vector(x):  # 000-04, 002-09, 002-20
    config = StrategyConfig.from_mapping(
        {"channels": {x["channel"]: {"slots": [x["hour"]]}}, "lead_minutes": 0}
    )
    view = view_of(tables_of(x), x["slot_start"])
    rules = RuleBook.load(config.rules, view.as_of)
    verdict = evaluate(view, rules=rules, config=config)
    assert verdict.slot_start[0, 0] == pd.Timestamp(x["slot_start"]).value // 1000
    expected = set(x["denied_by"])
    expected = expected.union(*(OURS.get(rule, set()) for rule in expected))
    reasons = set(verdict.reasons_of(0, 0))
    # orchestration may ask for more rest than the law
    assert {r for r in reasons if not r.startswith("house.")} == {
        r for r in expected if not r.startswith("house.")
    }
    assert {r for r in expected if r.startswith("house.")} <= reasons
    assert bool(verdict.allowed[0, 0]) == (not reasons)


def test_what_cannot_be_expressed_is_named():
    assert {s["id"] for s in DATA["not_expressible"]} == {"V038", "V052", "V056", "V058"}
    assert len(DATA["vectors"]) == 44
