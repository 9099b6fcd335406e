"""Who refuses a phone means the phone: its other ids, and whoever else has it, are bound too."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lawful_worlds import simple, table, touch
from test_shared_contacts import config_of, household, judged

from contactopt.compliance import shared_point_rotation
from contactopt.compliance.holds import next_local_window

QUIET: dict[str, Any] = {"one_attempt_per_day": False, "single_active_channel": False}


def twins(**more: list[dict[str, Any]]) -> dict[str, list[dict]]:
    """One customer whose mobile stands in the tables under two ids."""
    one = simple("MX", "America/Mexico_City", ownership="first_party")
    one["contact_points"][0]["address_key"] = "phone"
    one["contact_points"].append({**one["contact_points"][0], "contact_point_id": "again"})
    consent = {"customer_id": "C", "changed_at": "2026-04-01", "status": "granted"}
    granted = [{**consent, "channel": c} for c in ("sms", "email", "call_agent", "call_bot")]
    more["consents"] = granted + more.get("consents", [])
    return {**one, **more}


def said(status: str, day: int, channel: str, point: str | None, who: str = "C") -> dict[str, Any]:
    return {
        "customer_id": who, "channel": channel, "changed_at": f"2026-05-{day:02d}",
        "contact_point_id": point, "status": status,
    }  # fmt: skip


def hold(kind: str, point: str, who: str = "C", **more: Any) -> dict[str, Any]:
    return {
        "hold_id": f"H-{who}", "customer_id": who, "kind": kind, "contact_point_id": point,
        "starts_at": "2026-05-01", **more,
    }  # fmt: skip


def open_channels(tables: dict[str, list[dict]], who: str = "C") -> set[str]:
    found = judged(tables, config_of(**QUIET), who)
    return {action.split("@")[0] for action, why in found.items() if not why}


EVERY = {"call_agent", "call_bot", "sms", "email"}


def test_who_refuses_nothing_is_open() -> None:
    assert open_channels(twins()) == EVERY


def test_a_revocation_at_one_id_closes_the_phone_under_its_other_id() -> None:  # 003-14
    assert open_channels(twins(consents=[said("revoked", 20, "sms", "mobile")])) == EVERY - {"sms"}
    again = [said("revoked", 20, "sms", "mobile"), said("granted", 25, "sms", "again")]
    assert "sms" in open_channels(twins(consents=again))
    before = [said("revoked", 20, "sms", "mobile"), said("granted", 15, "sms", "again")]
    assert "sms" not in open_channels(twins(consents=before))


@pytest.mark.parametrize("kind", ["do_not_contact", "cease_communication", "dispute"])
def test_a_hold_of_one_id_reaches_the_phone_under_its_other_id(kind: str) -> None:
    assert open_channels(twins(holds=[hold(kind, "mobile")])) == {"email"}


def shared(**more: list[dict[str, Any]]) -> dict[str, list[dict]]:
    tables = household("MX", **more)
    for debt in tables["debts"]:
        debt["ownership"] = "first_party"
    granted = [said("granted", 1, c, None, who) for who in ("C", "N") for c in (*sorted(EVERY),)]
    tables["consents"] = granted + more.get("consents", [])
    return tables


def test_what_another_holder_refuses_at_the_phone_binds_there() -> None:
    assert open_channels(shared()) == EVERY
    revoked = said("revoked", 20, "sms", "n-mobile", "N")
    assert open_channels(shared(consents=[revoked])) == EVERY - {"sms"}
    mine = said("granted", 25, "sms", "mobile")
    assert "sms" in open_channels(shared(consents=[revoked, mine]))
    assert open_channels(shared(holds=[hold("do_not_contact", "n-mobile", "N")])) == {"email"}
    # what concerns the other person alone says nothing of the phone
    assert open_channels(shared(holds=[hold("dispute", "n-mobile", "N")])) == EVERY
    whole = {**hold("cease_communication", "n-mobile", "N"), "contact_point_id": None}
    assert open_channels(shared(holds=[whole])) == EVERY


@pytest.mark.parametrize("named", ["n-mobile", None])
def test_an_opt_out_by_another_holder_of_the_phone_closes_the_channel_there(named: Any) -> None:
    out = touch(
        "2026-05-10T15:00Z", "sms", outcome="opted_out", customer_id="N", contact_point_id=named
    )
    assert "sms" not in open_channels(shared(touches=[out]))
    back = said("granted", 20, "sms", None, "N")
    assert "sms" in open_channels(shared(touches=[out], consents=[back]))


def test_a_callback_agreed_at_a_point_silences_every_other_way() -> None:  # 002-18
    window = {"from": "2026-06-02T16:00:00Z", "to": "2026-06-02T20:00:00Z"}  # 11 h in Mexico: 17 h
    agreed = hold("callback_agreed", "mobile", channel="call_agent", detail=json.dumps(window))
    assert open_channels(twins(holds=[agreed])) == {"call_agent"}
    other = twins(holds=[agreed])
    other["contact_points"][3]["address_key"] = "other phone"
    other["contact_points"][0]["holder"] = "third_party"
    assert open_channels(other) == set()
    past = {"from": "2026-06-03T16:00:00Z", "to": "2026-06-03T20:00:00Z"}
    assert open_channels(twins(holds=[{**agreed, "detail": json.dumps(past)}])) == set()


def test_the_rotation_knows_no_point_that_is_recorded_later() -> None:
    rows = [
        {"contact_point_id": f"p{c}", "customer_id": c, "address_key": "x",
         "valid_from": "2020-01-01", "valid_to": None, "recorded_at": at}
        for c, at in (("a", None), ("b", "2026-06-03T00:00Z"))
    ]  # fmt: skip

    class Book:
        tables = {"contact_points": table(rows)}  # noqa: RUF012

    assert shared_point_rotation(Book, "2026-06-02T23:59Z").empty
    assert len(shared_point_rotation(Book, "2026-06-03T00:00Z")) == 1


def at(text: str) -> int:
    return pd.Timestamp(text).value // 1000


def test_a_window_that_the_clocks_show_twice_begins_twice() -> None:
    detail, zone = {"start": "01:00", "end": "01:30"}, ("America/New_York",)
    starts = ["2026-11-01T04:30Z", "2026-11-01T05:45Z", "2026-11-01T06:45Z"]
    begins = next_local_window(detail, np.array([at(s) for s in starts]), zone)
    assert begins[:2].tolist() == [at("2026-11-01T05:00Z"), at("2026-11-01T06:00Z")]
    assert begins[2] == np.iinfo(np.int64).max
    spring = next_local_window(detail, np.array([at("2026-03-08T05:30Z")]), zone)
    assert spring.tolist() == [at("2026-03-08T06:00Z")]
