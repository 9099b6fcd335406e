"""Looking up who has an address finds whom a walk through all points finds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from contactopt.contracts.address_index import AddressIndex
from contactopt.contracts.portfolio import Portfolio
from contactopt.contracts.tables import TABLES


def made(seed: int, customers: int = 40, points: int = 70) -> Portfolio:
    rng = np.random.default_rng(seed)
    ids = np.array([f"c{k:02d}" for k in range(customers)])
    keys = np.array([f"a{k}" for k in range(60)] + [None], dtype=object)
    tables = {n: pd.DataFrame() for n in TABLES}
    tables["customers"] = pd.DataFrame({"customer_id": ids, "jurisdiction": "CO"})
    tables["contact_points"] = pd.DataFrame(
        {
            "contact_point_id": [f"p{k}" for k in range(points)],
            "customer_id": rng.choice(ids, points),
            "kind": "mobile",
            "place": "unknown",
            "valid_from": pd.Timestamp("2026-01-01", tz="UTC"),
            "address_key": rng.choice(keys, points),
        }
    )
    return Portfolio.from_frames(tables)


@pytest.mark.parametrize("seed", range(5))
def test_lookup_equals_a_walk_through_all_points(seed):
    portfolio = made(seed)
    points, index = portfolio.tables["contact_points"], AddressIndex.of(portfolio)
    assert AddressIndex.of(portfolio) is index
    for start in (["a1"], ["a2", "a3", "not there"], []):
        there = points[points["address_key"].isin(start)]
        assert index.owners_of(start).tolist() == there["customer_id"].unique().tolist()
        found, addresses = set(), set(start)
        others = points[points["customer_id"] != "c03"]
        while True:
            more = set(others.loc[others["address_key"].isin(addresses), "customer_id"])
            if more == found:
                break
            found = more
            own = others.loc[others["customer_id"].isin(found), "address_key"].dropna()
            addresses |= set(own)
        expected = others[others["customer_id"].isin(found)]
        pd.testing.assert_frame_equal(index.connected_to(start, leave_out="c03"), expected)


def test_another_table_is_another_index():
    portfolio = made(0)
    index = AddressIndex.of(portfolio)
    portfolio.tables["contact_points"] = portfolio.tables["contact_points"].iloc[:3]
    assert AddressIndex.of(portfolio) is not index


@pytest.mark.parametrize(
    "wanted", [[], ["c05"], ["c30", "c02", "c17"], [f"c{k:02d}" for k in range(40)]]
)
def test_some_customers_are_cut_as_a_walk_through_all_rows_cuts_them(wanted):
    portfolio = made(1)
    part = portfolio.subset(wanted)
    assert part.customer_ids.tolist() == sorted(wanted)
    for name in ("customers", "contact_points"):
        frame = portfolio.tables[name]
        expected = frame[frame["customer_id"].isin(wanted)].reset_index(drop=True)
        pd.testing.assert_frame_equal(part.tables[name], expected)
        owner = part._loaded.owner[name]
        assert part.customer_ids[owner].tolist() == expected["customer_id"].tolist()
