"""A small portfolio that fills every column and many words of the contract."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from contactopt.contracts import Portfolio
from contactopt.contracts import vocabulary as v

Tables = dict[str, pd.DataFrame]

DATA = Path(__file__).parents[2] / "datasets" / "small" / "portfolio"
AS_OF = pd.Timestamp("2026-03-11T08:05Z")  # a Wednesday
N_CUSTOMERS = 38
OUTBOUND = [c for c in v.CHANNELS if c not in v.INBOUND_ONLY]


def days(n: float) -> pd.Timedelta:
    return pd.Timedelta(days=n)


# ---- the portfolio -------------------------------------------------------------------------------


def base_portfolio() -> Portfolio:
    """Customers of the small portfolio with what its world does not make: every table is filled."""
    tables = _of_customers({name: pd.read_parquet(DATA / f"{name}.parquet") for name in _OWN})
    for enrich in (_people, _debts, _points, _consents, _holds, _legal, _contacts, _plans, _money):
        enrich(tables)
    capacity = pd.DataFrame(
        {
            "pool": ["sms", "sms", "voice", "letter"],
            "date": ["2026-03-11", "2026-03-11", "2026-03-11", "2026-03-10"],
            "hour": [None, 16, None, None],
            "units": [6.0, 2.0, 18.0, 12.0],
            "min_units": [0.0, 0.0, 2.0, 0.0],
            "until_date": [None, None, None, "2026-03-14"],
        }
    )
    told = dict.fromkeys(("touches", "payments", "debt_snapshots"), AS_OF)
    return Portfolio.from_frames(tables, complete_to=told, capacity=capacity)


_OWN = tuple(p.stem for p in sorted(DATA.glob("*.parquet")) if p.stem != "capacity")
_OF_DEBT = ("debt_snapshots", "promises", "payments", "arrangements")
_OF_TOUCH = ("touch_debts", "touch_events")


def _of_customers(tables: Tables) -> Tables:
    """Keep the first customers and what hangs on them."""
    customers = tables["customers"].sort_values("customer_id").head(N_CUSTOMERS)
    debts = tables["debts"][tables["debts"]["customer_id"].isin(customers["customer_id"])]
    touches = tables["touches"][tables["touches"]["customer_id"].isin(customers["customer_id"])]
    out = {}
    for name, frame in tables.items():
        if name in _OF_DEBT:
            frame = frame[frame["debt_id"].isin(debts["debt_id"])]
        elif name in _OF_TOUCH:
            frame = frame[frame["touch_id"].isin(touches["touch_id"])]
        else:
            frame = frame[frame["customer_id"].isin(customers["customer_id"])]
        out[name] = frame.reset_index(drop=True)
    return out


def _people(t: Tables) -> None:
    c = t["customers"]
    k = np.arange(len(c))
    # few places and zones: the rules are asked once for each combination
    c["jurisdiction"] = np.select([k % 4 == 1, k % 4 == 3], ["CO", "PE"], "US")
    zone = ["America/Bogota", "America/Lima"]
    c["time_zone"] = np.select([k % 4 == 1, k % 4 == 3], zone, "America/New_York")
    c["locality"] = np.select([k % 4 == 0], ["Elsewhere"], "none")
    c["preferred_channel"] = [v.CHANNELS[i % len(v.CHANNELS)] for i in k]
    c["x_segment"] = np.where(k % 2 == 0, "a", "b")


def _debts(t: Tables) -> None:
    d = t["debts"]
    k = np.arange(len(d))
    d["margin_share"] = np.where(k % 3 == 0, 0.4, np.nan)
    d["settlement_floor_share"] = 0.6
    d["limitation_at"] = AS_OF.normalize() + days(400)
    us = t["customers"]["customer_id"][t["customers"]["jurisdiction"] == "US"]
    d["ownership"] = d["ownership"].where(~d["customer_id"].isin(us), "third_party")
    d["placed_at"] = AS_OF.normalize() - days(200)
    # some debts have no snapshot yet: only they are past due since the day that the debt says
    t["debt_snapshots"] = t["debt_snapshots"][
        ~t["debt_snapshots"]["debt_id"].isin(d["debt_id"][::9])
    ]


def _points(t: Tables) -> None:
    p = t["contact_points"]
    k = np.arange(len(p))
    p["time_zone"] = np.where(k % 40 == 0, "America/New_York", None)
    p["jurisdiction"] = np.where(k % 40 == 0, "US", None)
    p["valid_to"] = AS_OF + days(300)
    app = p.drop_duplicates("customer_id").assign(
        kind="app",
        place="unknown",
        holder="customer",
        time_zone=None,
        jurisdiction=None,
        contact_point_id=lambda f: "A-" + f["customer_id"],
        address_key=lambda f: "A-" + f["customer_id"],
    )
    t["contact_points"] = pd.concat([p, app], ignore_index=True)


def _consents(t: Tables) -> None:
    """Every third customer has opted in to everything, every sixth revoked sms for one point."""
    who = t["customers"]["customer_id"].to_numpy()
    granted = pd.DataFrame(
        [(c, channel, "granted") for c in who[::3] for channel in OUTBOUND],
        columns=["customer_id", "channel", "status"],
    ).assign(changed_at=AS_OF - days(40), contact_point_id=None)
    mobile = t["contact_points"].query("kind == 'mobile'").drop_duplicates("customer_id")
    narrow = mobile[mobile["customer_id"].isin(who[::6])][["customer_id", "contact_point_id"]]
    narrow = narrow.assign(channel="sms", status="revoked", changed_at=AS_OF - days(3))
    own = t["consents"][["customer_id", "channel", "changed_at", "contact_point_id", "status"]]
    t["consents"] = pd.concat(
        [own.astype({"contact_point_id": object}), granted, narrow], ignore_index=True
    ).drop_duplicates(["customer_id", "channel", "changed_at", "contact_point_id"])


def _holds(t: Tables) -> None:
    """Holds of several kinds, ended, narrow and ahead, on the customers 2, 5, 8, ..."""
    who = t["customers"]["customer_id"].to_numpy()[2::3]
    debt = t["debts"].drop_duplicates("customer_id").set_index("customer_id")["debt_id"]
    points = t["contact_points"]
    mobile = points[points["kind"] == "mobile"].drop_duplicates("customer_id")
    point = mobile.set_index("customer_id")["contact_point_id"]
    window = {"days": ["MON", "TUE", "WED", "THU", "FRI"], "start": "09:00", "end": "13:00"}
    agreed = {"from": "2026-03-11T17:00:00+00:00", "to": "2026-03-11T18:00:00+00:00"}
    rows: list[dict[str, Any]] = [
        {"kind": "inconvenient_time", "detail": json.dumps(window)},
        {"kind": "callback_agreed", "detail": json.dumps(agreed), "ends_at": AS_OF + days(1)},
        {"kind": "preference", "channel": "email"},
        {"kind": "preference", "channel": "call_agent"},
        *[{"kind": "dispute", "debt_id": debt}] * 3,
        {"kind": "do_not_contact", "contact_point_id": point},
        {"kind": "hardship", "ends_at": AS_OF - days(2)},
        {"kind": "written_only", "ends_at": AS_OF + days(2)},
        {"kind": "workplace_prohibited"},
        {"kind": "employer_refused"},
    ]
    out = []
    for i, row in enumerate(rows):
        own = {k: x.get(who[i]) if isinstance(x, pd.Series) else x for k, x in row.items()}
        out.append({"hold_id": f"N{i}", "customer_id": who[i], "starts_at": AS_OF - days(9)} | own)
    t["holds"] = pd.DataFrame(out)
    t["holds"]["starts_at"] = t["holds"]["starts_at"].astype("datetime64[us, UTC]")


def _legal(t: Tables) -> None:
    """Notices, further obligors and arrangements."""
    d = t["debts"].iloc[:10].reset_index(drop=True)
    k = np.arange(len(d))
    t["notices"] = pd.DataFrame(
        {
            "notice_id": [f"N{i}" for i in k],
            "customer_id": d["customer_id"],
            "debt_id": None,  # of all debts, so that it shows in the customer's verdict
            "kind": [v.NOTICE_KINDS[i % len(v.NOTICE_KINDS)] for i in k],
            "sent_at": "2026-02-01",
            "channel": "letter",
        }
    )
    others = np.roll(t["customers"]["customer_id"].to_numpy(), 5)[: len(d)]
    t["debt_parties"] = pd.DataFrame(
        {
            "debt_id": d["debt_id"],
            "customer_id": others,
            "role": [v.PARTY_ROLES[i % len(v.PARTY_ROLES)] for i in k],
            "valid_from": AS_OF - days(300),
            "valid_to": AS_OF + days(300),
        }
    )
    # kept, then finished, then kept again: each until one of its terms is another
    own = t["debts"]["debt_id"].iloc[10:16].reset_index(drop=True)
    k = np.arange(len(own))
    t["arrangements"] = pd.DataFrame(
        {
            "arrangement_id": [f"A{i}" for i in k],
            "debt_id": own,
            "starts_at": np.resize(["2026-03-03", "2026-03-03", "2026-03-06"], len(k)),
            "frequency": np.resize(["monthly", "weekly", "weekly"], len(k)),
            "instalment": 10.0,
            "n_instalments": np.resize([6, 2, 6], len(k)),
            "ended_at": None,
            "end_reason": "none yet",
        }
    )
    paid = pd.DataFrame(
        {
            "payment_id": [f"PA{i}" for i in k],
            "debt_id": own,
            "paid_at": AS_OF - days(1.5),
            "amount": np.resize([12.0, 22.0, 12.0], len(k)),
        }
    )
    t["payments"] = pd.concat([t["payments"], paid], ignore_index=True)


def _spoken_with_about_one_of_two(t: Tables) -> pd.DataFrame:
    """Conversations about one debt of customers who have several: the others may be called on."""
    debts = t["debts"][t["debts"]["customer_id"].duplicated(keep=False)]
    one = debts.drop_duplicates("customer_id")
    return pd.DataFrame(
        {
            "touch_id": "Y-" + one["debt_id"],
            "customer_id": one["customer_id"],
            "debt_id": one["debt_id"],
            "direction": "outbound",
            "channel": "call_agent",
            "started_at": AS_OF - pd.Timedelta(days=3),
            "outcome": "no_commitment",
            "handled_by": "agent",
            "duration_s": 40.0,
        }
    )


def _contacts(t: Tables) -> None:
    """Recent touches in every channel, so that caps and rests have something to count."""
    who = t["customers"]["customer_id"].to_numpy()
    debt = t["debts"].drop_duplicates("customer_id").set_index("customer_id")["debt_id"]
    points = t["contact_points"]
    point = points.drop_duplicates("customer_id").set_index("customer_id")["contact_point_id"]
    n = 2 * len(who)
    k = np.arange(n)
    outcome = np.array(["no_answer", "refused", "delivered", "voicemail", "no_commitment"])[k % 5]
    more = pd.DataFrame(
        {
            "touch_id": [f"X{i:04d}" for i in k],
            "customer_id": who[k % len(who)],
            "debt_id": np.where(k % 4 == 3, None, debt.reindex(who[k % len(who)]).to_numpy()),
            "direction": np.where(k % 7 == 6, "inbound", "outbound"),
            "channel": [OUTBOUND[(i // 3) % len(OUTBOUND)] for i in k],
            "started_at": [AS_OF - pd.Timedelta(hours=18 + 9 * (i % 17)) for i in k],
            "outcome": outcome,
            "contact_point_id": point.reindex(who[k % len(who)]).to_numpy(),
            "duration_s": 40.0,
            "handled_by": [v.HANDLED_BY[i % len(v.HANDLED_BY)] for i in k],
            "vendor": "a-vendor",
            "template_id": "a-template",
            "offer_id": "an-offer",
            "cost": 0.2,
        }
    )
    more = pd.concat([more, _spoken_with_about_one_of_two(t)], ignore_index=True)
    own = t["touches"].drop(columns="collector")
    t["touches"] = pd.concat([own.astype(object), more.astype(object)], ignore_index=True)
    t["touches"]["collector"] = None
    # of some messages only the events tell what came of them
    silent = t["touches"]["touch_id"].isin(t["touch_events"]["touch_id"].iloc[::3])
    t["touches"].loc[silent, "outcome"] = "unknown"
    for column in ("started_at", "outcome_at", "responded_at", "recorded_at"):
        t["touches"][column] = pd.to_datetime(t["touches"][column], utc=True)
    t["touch_debts"] = pd.concat([t["touch_debts"], _conversations(t)], ignore_index=True)


def _conversations(t: Tables) -> pd.DataFrame:
    """Add a refusal two days ago about one debt, every other one named in touch_debts."""
    customers = t["customers"]
    us = customers["customer_id"][customers["jurisdiction"] == "US"]
    d = t["debts"][t["debts"]["customer_id"].isin(us)].drop_duplicates("customer_id")
    named = np.arange(len(d)) % 2 == 0
    said = pd.DataFrame(
        {
            "touch_id": "S-" + d["debt_id"],
            "customer_id": d["customer_id"],
            "debt_id": d["debt_id"].where(~named, None),
            "direction": "outbound",
            "channel": "call_agent",
            "started_at": AS_OF - days(2),
            "outcome": "refused",
        }
    )
    t["touches"] = pd.concat([t["touches"], said.astype(object)], ignore_index=True)
    t["touches"]["started_at"] = pd.to_datetime(t["touches"]["started_at"], utc=True)
    return said.loc[named, ["touch_id"]].assign(debt_id=d.loc[named, "debt_id"])


def _plans(t: Tables) -> None:
    """Plans of an earlier batch, open and called off, for the customers 1, 4, 7, ..."""
    who = t["customers"]["customer_id"].to_numpy()[1::3]
    k = np.arange(len(who))
    off = k % 2 == 1
    plans = pd.DataFrame(
        {
            "decision_id": [f"X{i}" for i in k],
            "decided_at": AS_OF - pd.Timedelta(hours=20),
            "customer_id": who,
            "channel": np.where(k % 3 == 0, "sms", "call_agent"),
            "propensity": 0.3,
            "slot_start": AS_OF + pd.Timedelta(hours=6),
            "dispatch_status": np.where(off, "suppressed_rule", "pending"),
            "dispatched_at": AS_OF - pd.Timedelta(hours=1),
        }
    )
    own = t["decisions"].drop(columns=["slot_start", "dispatch_status", "dispatched_at"])
    own = own.assign(action_id="an-action", n_eligible=7, rules_version="1", offer_id="an-offer")
    debt = t["debts"].drop_duplicates("customer_id").set_index("customer_id")["debt_id"]
    t["decisions"] = pd.concat([own, plans], ignore_index=True)
    t["decisions"]["debt_id"] = debt.reindex(t["decisions"]["customer_id"]).to_numpy()
    t["decisions"]["holdout"] = t["decisions"]["holdout"].astype("boolean").fillna(False)


def _money(t: Tables) -> None:
    """Open, broken and cancelled promises; payments that name them."""
    d = t["debts"].iloc[::4].reset_index(drop=True)
    k = np.arange(len(d))
    own = t["promises"].drop(columns=["cancelled_at", "recorded_at"])
    more = pd.DataFrame(
        {
            "promise_id": [f"X{i}" for i in k],
            "debt_id": d["debt_id"],
            "made_at": AS_OF - days(12),
            "due_at": [AS_OF + days(4) if i % 3 == 0 else AS_OF - days(6) for i in k],
            "amount": 40.0,
            "cancelled_at": [AS_OF - days(8) if i % 3 == 1 else None for i in k],
        }
    )
    t["promises"] = pd.concat([own, more], ignore_index=True)
    paid = pd.DataFrame(
        {
            "payment_id": [f"X{i}" for i in k],
            "debt_id": d["debt_id"],
            "paid_at": AS_OF - days(8),
            "amount": 15.0,
            "kind": [v.PAYMENT_KINDS[i % 4] for i in k],
            "method": "cash",
            "promise_id": [f"X{i}" for i in k],
        }
    )
    t["payments"] = pd.concat([t["payments"], paid], ignore_index=True)
