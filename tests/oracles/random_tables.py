"""Random contract tables with every awkward time: late records, reversals, machine opens, ties."""

from __future__ import annotations

import numpy as np
import pandas as pd

from contactopt.contracts import vocabulary as v

START = pd.Timestamp("2026-01-01", tz="UTC")
DAY_S = 86_400
ZONES = ("America/New_York", "America/Bogota", "Asia/Kathmandu")


def stamps(seconds, start: pd.Timestamp = START) -> pd.Series:
    """Instants from seconds after the start; NaN gives null."""
    seconds = np.asarray(seconds, dtype=np.float64)
    us = np.where(np.isnan(seconds), np.nan, np.round(seconds * 1e6))
    delta = pd.to_timedelta(pd.Series(us), unit="us").dt.as_unit("us")
    return (start.as_unit("us") + delta).dt.as_unit("us")


def maybe(rng, values, share: float):
    """Keep a share of values, the others are null."""
    return np.where(rng.random(len(values)) < share, values, np.nan)


def strings(values) -> pd.Series:
    return pd.Series(list(values), dtype="str")


def random_tables(
    n_customers: int = 12,
    *,
    touches: int = 15,
    payments: int = 4,
    snapshots: int = 5,
    days: int = 120,
    random_state: int = 0,
    recorded_share: float = 0.5,
) -> dict[str, pd.DataFrame]:
    """Return all tables; counts are per customer (snapshots per debt), times span ``days``."""
    rng = np.random.default_rng(random_state)
    span = days * DAY_S
    n_debts = n_customers + n_customers // 2
    customer = [f"C{k:06d}" for k in range(n_customers)]
    debt = [f"D{k:06d}" for k in range(n_debts)]
    debt_owner = np.append(
        np.arange(n_customers), rng.integers(0, n_customers, n_debts - n_customers)
    )
    point = [f"P{k:06d}" for k in range(2 * n_customers)]
    point_owner = np.repeat(np.arange(n_customers), 2)

    def coarse(n: int) -> np.ndarray:
        """Whole hours half of the time, so that many instants coincide."""
        s = rng.random(n) * span
        return np.where(rng.random(n) < 0.5, s // 3600 * 3600, np.round(s, 3))

    def recorded(at: np.ndarray) -> pd.Series:
        return stamps(
            maybe(rng, at + rng.exponential(0.5 * DAY_S, len(at)).round(3), recorded_share)
        )

    def pick(words, n: int) -> pd.Series:
        return strings(rng.choice(np.array(words, dtype=object), n))

    def ids(prefix: str, n: int) -> pd.Series:
        return strings(f"{prefix}{k:07d}" for k in range(n))

    def names(of, codes) -> pd.Series:
        return strings(np.array(of, dtype=object)[codes])

    out: dict[str, pd.DataFrame] = {}
    out["customers"] = pd.DataFrame(
        {
            "customer_id": strings(customer),
            "jurisdiction": pick(["US-NY", "US-FL", "CO"], n_customers),
            "time_zone": pick(
                ["America/New_York", "America/Bogota", "Asia/Kathmandu"], n_customers
            ),
            "language": pick(["en", "es"], n_customers),
            "birth_year": rng.integers(1940, 2005, n_customers).astype(float),
            "kind": pick(["person", "business"], n_customers),
            "x_limit": rng.normal(size=n_customers).round(3),
        }
    )
    delinquent = rng.integers(-100, days // 2, n_debts) * DAY_S
    out["debts"] = pd.DataFrame(
        {
            "debt_id": strings(debt),
            "customer_id": names(customer, debt_owner),
            "product": pick(v.PRODUCTS, n_debts),
            "creditor": pick(["bank", "telco"], n_debts),
            "ownership": pick(v.OWNERSHIPS, n_debts),
            "currency": "USD",
            "principal": rng.lognormal(7, 1, n_debts).round(2),
            "opened_at": stamps(delinquent - 200.0 * DAY_S),
            "delinquent_since": stamps(delinquent),
            "charged_off_at": stamps(maybe(rng, delinquent + 60.0 * DAY_S, 0.2)),
            "closed_at": stamps(maybe(rng, delinquent + 90.0 * DAY_S, 0.1)),
            "margin_share": maybe(rng, rng.random(n_debts).round(2), 0.5),
            "x_scheme": pick(["a", "b"], n_debts),
        }
    )
    n = snapshots * n_debts
    owner = rng.integers(0, n_debts, n)
    at = rng.integers(0, days, n) * float(DAY_S)
    past_due = rng.lognormal(5, 1, n).round(2)
    out["debt_snapshots"] = pd.DataFrame(
        {
            "debt_id": names(debt, owner),
            "observed_at": stamps(at),
            "balance": past_due * 3,
            "past_due": np.where(rng.random(n) < 0.2, 0.0, past_due),
            "days_past_due": rng.integers(0, 200, n).astype(float),
            "status": pick(["open", "open", "open", "disputed", "cured"], n),
            "next_due_at": stamps(maybe(rng, at + 20.0 * DAY_S, 0.5)),
            "instalment": maybe(rng, past_due, 0.5),
            "x_bureau": rng.normal(size=n).round(3),
            "recorded_at": recorded(at),
        }
    ).drop_duplicates(["debt_id", "observed_at"], ignore_index=True)
    valid = rng.integers(-50, days // 2, len(point)) * float(DAY_S)
    out["contact_points"] = pd.DataFrame(
        {
            "contact_point_id": strings(point),
            "customer_id": names(customer, point_owner),
            "kind": pick(v.POINT_KINDS, len(point)),
            "place": pick(v.PLACES, len(point)),
            "quality_share": maybe(rng, rng.random(len(point)).round(2), 0.7),
            "holder": pick(["customer", "customer", "third_party"], len(point)),
            "valid_from": stamps(valid),
            "valid_to": stamps(maybe(rng, valid + 60.0 * DAY_S, 0.2)),
        }
    )
    n = touches * n_customers
    owner = rng.integers(0, n_customers, n)
    at = coarse(n)
    own_debt = rng.integers(0, n_debts, n)
    own_debt = np.where(debt_owner[own_debt] == owner, own_debt, owner)  # debt k is customer k's
    debt_name = names(debt, own_debt).mask(pd.Series(rng.random(n) < 0.4))
    out["touches"] = pd.DataFrame(
        {
            "touch_id": ids("T", n),
            "customer_id": names(customer, owner),
            "debt_id": debt_name,
            "direction": pick(["outbound", "outbound", "outbound", "inbound"], n),
            "channel": pick(["call_agent", "call_bot", "sms", "email", "letter", "whatsapp"], n),
            "started_at": stamps(at),
            "outcome": pick(v.OUTCOMES, n),
            "outcome_at": stamps(maybe(rng, at + rng.exponential(DAY_S, n).round(3), 0.3)),
            "responded_at": stamps(maybe(rng, at + rng.exponential(DAY_S, n).round(3), 0.3)),
            "contact_point_id": names(point, owner * 2 + rng.integers(0, 2, n)),
            "decision_id": ids("N", n).mask(pd.Series(rng.random(n) < 0.7)),
            "duration_s": maybe(rng, rng.exponential(100, n).round(0), 0.5),
            "cost": maybe(rng, rng.random(n).round(2), 0.5),
            "recorded_at": recorded(at),
        }
    )
    touch_names = out["touches"]["touch_id"].to_numpy(dtype=object)
    which = rng.integers(0, max(n, 1), n // 2)
    when = at[which] + rng.exponential(0.7 * DAY_S, len(which)).round(3)
    out["touch_events"] = pd.DataFrame(
        {
            "touch_id": strings(touch_names[which]),
            "occurred_at": stamps(when),
            # mostly digital words; vendors send bounces and requests to stop as events, too
            "event": pick((*v.DIGITAL_OUTCOMES, "bounced", "asked_to_stop", "busy"), len(which)),
            "machine": rng.random(len(which)) < 0.4,
            "recorded_at": recorded(when),
        }
    ).drop_duplicates(["touch_id", "occurred_at", "event"], ignore_index=True)
    which = rng.integers(0, max(n, 1), n // 6)
    out["touch_debts"] = pd.DataFrame(
        {"touch_id": strings(touch_names[which]), "debt_id": names(debt, owner[which])}
    ).drop_duplicates(ignore_index=True)
    n = n_customers * 2
    which_debt = rng.integers(0, n_debts, n)
    made = coarse(n)
    out["promises"] = pd.DataFrame(
        {
            "promise_id": ids("R", n),
            "debt_id": names(debt, which_debt),
            "made_at": stamps(made),
            "due_at": stamps((made // DAY_S + rng.integers(1, 20, n)) * DAY_S - 1e-6),
            "amount": rng.lognormal(4, 0.7, n).round(2),
            "cancelled_at": stamps(maybe(rng, made + 2.0 * DAY_S, 0.15)),
            "recorded_at": recorded(made),
        }
    )
    n = payments * n_customers
    which_debt = rng.integers(0, n_debts, n)
    at = coarse(n)
    promise = strings(rng.choice(out["promises"]["promise_id"].to_numpy(dtype=object), n))
    out["payments"] = pd.DataFrame(
        {
            "payment_id": ids("Y", n),
            "debt_id": names(debt, which_debt),
            "paid_at": stamps(at),
            "amount": rng.lognormal(4, 1, n).round(2),
            "kind": pick(v.PAYMENT_KINDS, n).mask(pd.Series(rng.random(n) < 0.5)),
            "promise_id": promise.mask(pd.Series(rng.random(n) < 0.9)),
            "reversed_at": stamps(maybe(rng, at + 5.0 * DAY_S, 0.15)),
            "recorded_at": recorded(at),
        }
    )
    out["holds"] = _holds(rng, customer, debt, debt_owner, coarse, recorded, ids, names, pick)
    out["consents"] = _consents(rng, customer, point, coarse, recorded, names, pick)
    return out


def _holds(rng, customer, debt, debt_owner, coarse, recorded, ids, names, pick):
    n = len(customer)
    at = coarse(n)
    owner = rng.integers(0, n, n)
    return pd.DataFrame(
        {
            "hold_id": ids("H", n),
            "customer_id": names(customer, owner),
            "kind": pick(v.HOLD_KINDS, n),
            "debt_id": names(debt, owner).mask(pd.Series(rng.random(n) < 0.6)),
            "channel": pick(["sms", "email"], n).mask(pd.Series(rng.random(n) < 0.6)),
            "starts_at": stamps(at),
            "ends_at": stamps(maybe(rng, at + 20.0 * DAY_S, 0.5)),
            "detail": strings(['{"hours": [9, 12]}'] * n).mask(pd.Series(rng.random(n) < 0.5)),
            "recorded_at": recorded(at - DAY_S),
        }
    )


def _consents(rng, customer, point, coarse, recorded, names, pick):
    n = 3 * len(customer)
    at = coarse(n)
    owner = rng.integers(0, len(customer), n)
    return pd.DataFrame(
        {
            "customer_id": names(customer, owner),
            "channel": pick(["sms", "email"], n),
            "changed_at": stamps(at),
            "contact_point_id": names(point, owner * 2).mask(pd.Series(rng.random(n) < 0.5)),
            "status": pick(v.CONSENT_STATUSES, n),
            "recorded_at": recorded(at),
        }
    )
