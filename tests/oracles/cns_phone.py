"""Calls and texts of the Copenhagen Networks Study as contract tables; data are read, never kept.

Each person is a customer with one debt. A call is an outbound touch of the one who was called and
an inbound touch of the one who called; so is a text. A text is `delivered` at once and `replied`
when its recipient writes back to the sender within a day, which is known from then on and no
earlier: as the row's own outcome for every other text, as a digital event for the rest. A text
back from the same person, after which the talk rests for a day, is taken as a payment, so that the
tables hold money as well (pure bookkeeping: nobody here owed anything).

Data: P. Sapiezynski, A. Stopczynski, D. D. Lassen, S. Lehmann, "Interaction data from the
Copenhagen Networks Study", Scientific Data 6:315 (2019); MIT as redistributed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

#: second 0 looks like local midnight of the first day
START = pd.Timestamp("2026-02-02T00:00", tz="Europe/Copenhagen").tz_convert("UTC").as_unit("us")
DAY_S = 86_400


def stamps(seconds) -> pd.Series:
    """Instants from seconds after the start; NaN gives null."""
    us = pd.Series(np.asarray(seconds, dtype=np.float64) * 1e6).round()
    return (START + pd.to_timedelta(us, unit="us").dt.as_unit("us")).dt.as_unit("us")


def person(codes) -> pd.Series:
    return pd.Series([f"P{int(k):04d}" for k in codes], dtype="str")


def cns_events(folder: Path) -> pd.DataFrame:
    """Return all calls and texts in order: second, sender, recipient, duration (NaN for texts)."""
    calls = pd.read_csv(folder / "cns_phone" / "calls.csv.gz")
    calls = calls.set_axis(["second", "sender", "recipient", "duration"], axis=1)
    texts = pd.read_csv(folder / "cns_phone" / "sms.csv.gz")
    texts = texts.set_axis(["second", "sender", "recipient"], axis=1)
    both = pd.concat([calls, texts], ignore_index=True)
    return both.sort_values(["second", "sender", "recipient"], ignore_index=True)


def replies(events: pd.DataFrame) -> np.ndarray:
    """Return when each text was answered by a text within a day, NaN where it was not."""
    texts = events[events["duration"].isna()].reset_index()
    back = texts.rename(columns={"sender": "recipient", "recipient": "sender", "second": "at"})
    found = pd.merge_asof(
        texts, back[["at", "sender", "recipient"]], left_on="second", right_on="at",
        by=["sender", "recipient"], direction="forward", allow_exact_matches=False,
        tolerance=DAY_S,
    )  # fmt: skip
    out = np.full(len(events), np.nan)
    out[found["index"]] = found["at"]
    return out


def cns_tables(folder: Path) -> dict[str, pd.DataFrame]:
    """Return contract tables of the whole study."""
    events = cns_events(folder)
    people = np.unique(events[["sender", "recipient"]])
    n = len(events)
    is_call = events["duration"].notna().to_numpy()
    reply = replies(events)
    number = np.arange(n)
    told_by_row = ~is_call & (number % 2 == 0) & ~np.isnan(reply)
    outcome = np.where(is_call, "no_commitment", "delivered").astype(object)
    outcome[is_call & (events["duration"] < 0)] = "no_answer"
    outcome[told_by_row] = "replied"
    common = {
        "started_at": stamps(events["second"]),
        "channel": pd.Series(np.where(is_call, "call_agent", "sms"), dtype="str"),
        "duration_s": events["duration"].clip(lower=0),
    }
    out = pd.DataFrame(
        {
            "touch_id": [f"out-{k:06d}" for k in number],
            "customer_id": person(events["recipient"]),
            "direction": "outbound",
            **common,
            "outcome": pd.Series(outcome, dtype="str"),
            "outcome_at": stamps(np.where(told_by_row, reply, np.nan)),
        }
    )
    into = pd.DataFrame(
        {
            "touch_id": [f"in-{k:06d}" for k in number],
            "customer_id": person(events["sender"]),
            "direction": "inbound",
            **common,
            "outcome": pd.Series(np.where(is_call, "no_commitment", "delivered"), dtype="str"),
        }
    )
    by_event = np.flatnonzero(~is_call & ~told_by_row & ~np.isnan(reply))
    receipts = pd.DataFrame(
        {
            "touch_id": [f"out-{k:06d}" for k in by_event],
            "occurred_at": stamps(reply[by_event]),
            "event": "replied",
            "machine": False,
        }
    )
    nothing = ("contact_points", "consents", "holds", "promises")
    return {
        **{name: pd.DataFrame() for name in nothing},
        "customers": pd.DataFrame(
            {
                "customer_id": person(people),
                "jurisdiction": "DK",
                "time_zone": "Europe/Copenhagen",
            }
        ),
        "touches": pd.concat([out, into], ignore_index=True),
        "touch_events": receipts,
        **_money(events, people),
    }


def one_life_per_moment(
    tables: dict[str, pd.DataFrame], moments: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """Return tables in which every moment is a customer who has lived up to then and no longer.

    Customer ``M000007`` holds the rows and cells that row 7 of ``moments`` knew of its person;
    what became known later is not in the tables at all.
    """
    asked = moments[["customer_id", "as_of"]].reset_index(drop=True)
    asked["life"] = [f"M{k:06d}" for k in range(len(asked))]

    def lived(frame: pd.DataFrame, whose: pd.Series, event: str | None) -> pd.DataFrame:
        rows = frame.assign(_who=whose.to_numpy()).merge(
            asked, left_on="_who", right_on="customer_id", suffixes=("_old", "")
        )
        return rows if event is None else rows[(rows[event] <= rows["as_of"]).to_numpy()]

    def named(rows: pd.DataFrame, like: pd.DataFrame) -> pd.DataFrame:
        out = rows.copy()
        out["customer_id"] = out["life"]
        for key in ("touch_id", "debt_id", "payment_id"):
            if key in like:
                out[key] = out["life"] + "/" + out[key].where(out[key].notna())
        return out[list(like.columns)].reset_index(drop=True)

    out = {name: frame.iloc[:0] for name, frame in tables.items()}
    debts, touches = tables["debts"], tables["touches"]
    out["customers"] = named(
        lived(tables["customers"], tables["customers"]["customer_id"], None), tables["customers"]
    )
    out["debts"] = named(lived(debts, debts["customer_id"], None), debts)
    owner = debts.set_index("debt_id")["customer_id"]
    for name, event in (("payments", "paid_at"), ("debt_snapshots", "observed_at")):
        frame = tables[name]
        out[name] = named(lived(frame, frame["debt_id"].map(owner), event), frame)
    rows = lived(touches, touches["customer_id"], "started_at").copy()
    over = rows["started_at"] + pd.to_timedelta(rows["duration_s"].fillna(0.0), unit="s")
    known = rows["outcome_at"].where(rows["outcome_at"].notna(), over)
    rows["outcome"] = rows["outcome"].mask(known > rows["as_of"], "unknown")
    rows["outcome_at"] = rows["outcome_at"].mask(rows["outcome_at"] > rows["as_of"])
    out["touches"] = named(rows, touches)
    receipts = tables["touch_events"]
    whose = receipts["touch_id"].map(touches.set_index("touch_id")["customer_id"])
    out["touch_events"] = named(lived(receipts, whose, "occurred_at"), receipts)
    return out


def moments_of(events: pd.DataFrame) -> pd.DataFrame:
    """Return every (person, instant) at which the person takes part in an event, in order."""
    sides = [
        pd.DataFrame({"second": events["second"], "person": events[side]})
        for side in ("sender", "recipient")
    ]
    both = pd.concat(sides).drop_duplicates().sort_values(["person", "second"], ignore_index=True)
    return pd.DataFrame(
        {
            "customer_id": person(both["person"]),
            "as_of": stamps(both["second"]),
        }
    )


def _money(events: pd.DataFrame, people: np.ndarray) -> dict[str, pd.DataFrame]:
    """Return a debt of each person, weekly snapshots, and a payment where a talk came to rest."""
    later = events.groupby("sender")["second"].shift(-1)
    rests = events[(later - events["second"] > DAY_S).to_numpy()]
    snapshots = pd.DataFrame(
        {
            "debt": np.repeat(people, 4),
            "week": np.tile(np.arange(4), len(people)),
        }
    )
    late = snapshots["week"] * 7.0 + snapshots["debt"] % 40
    return {
        "debts": pd.DataFrame(
            {
                "debt_id": person(people).str.replace("P", "D"),
                "customer_id": person(people),
                "product": "personal_loan",
                "creditor": "study",
                "ownership": "first_party",
                "currency": "DKK",
                "principal": 2000.0,
                "opened_at": stamps(np.full(len(people), -100.0 * DAY_S)),
                "delinquent_since": stamps(-(people % 40 + 1.0) * DAY_S),
            }
        ),
        "debt_snapshots": pd.DataFrame(
            {
                "debt_id": person(snapshots["debt"]).str.replace("P", "D"),
                "observed_at": stamps(snapshots["week"] * 7.0 * DAY_S),
                "balance": 1000.0 + snapshots["debt"] % 7 * 100.0,
                "past_due": 100.0 + late,
                "days_past_due": late + 1.0,
                "status": "open",
                "instalment": 50.0,
            }
        ),
        "payments": pd.DataFrame(
            {
                "payment_id": [f"pay-{k:06d}" for k in rests.index],
                "debt_id": person(rests["sender"]).str.replace("P", "D"),
                "paid_at": stamps(rests["second"]),
                "amount": 10.0 + rests["second"].to_numpy() % 90,
            }
        ),
    }
