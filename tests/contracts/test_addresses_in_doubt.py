"""A phone that somebody in quarantine has too is nobody's we know: it is not used."""

from __future__ import annotations

import pandas as pd
import pytest
from contract_tables import small_tables

from contactopt.contracts import Portfolio


def tables(key: str | None, holder: str | None = None) -> dict[str, pd.DataFrame]:
    """Two customers with one address key; a hold of the second cannot be read."""
    found = small_tables()
    points = found["contact_points"].astype(object)
    first, second = found["customers"]["customer_id"].iloc[:2]
    points["address_key"] = None
    points["holder"] = holder
    points.loc[points["customer_id"].isin([first, second]), "address_key"] = key
    found["contact_points"] = points
    held = {"hold_id": "H-broken", "customer_id": second, "kind": "whim"}
    held["starts_at"] = pd.Timestamp("2026-01-01T00:00Z")
    found["holds"] = pd.concat([found["holds"], pd.DataFrame([held])], ignore_index=True)
    return found


def holders(portfolio: Portfolio) -> set[object]:
    points = portfolio.tables["contact_points"]
    first = portfolio.customer_ids[0]
    return set(points.loc[points["customer_id"] == first, "holder"].dropna())


@pytest.mark.parametrize(
    ("key", "holder", "expected"),
    [
        ("same", None, {"unknown"}),
        ("same", "customer", {"unknown"}),
        ("same", "third_party", {"third_party"}),
        (None, None, set()),
    ],
)
def test_the_holder_of_an_address_shared_with_quarantine_is_unknown(
    key: str | None, holder: str | None, expected: set[str]
) -> None:  # 003-14
    portfolio = Portfolio.from_frames(tables(key, holder), max_quarantined_share=1.0)
    assert len(portfolio.quarantined_customers) == 1
    assert holders(portfolio) == expected
    told = portfolio.quarantine
    told = told[told["check"] == "shared with a point in quarantine"]
    assert (len(told) > 0) == (expected == {"unknown"})
