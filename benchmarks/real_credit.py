"""Real card accounts through the whole line, with a cold start.

    python benchmarks/real_credit.py DIR [--out FOLDER]

DIR holds the UCI "default of credit card clients" table as gzip CSV (I.-C. Yeh and C.-H. Lien,
Expert Systems with Applications 36(2), 2009; CC BY 4.0): six monthly statements, delays and
payments of real card accounts, and whether each pays the month after. The script writes contract
tables from it, prints AUC, log-loss and calibration error of the payment model for "pays next
month" under 5-fold cross-validation, then validates, fits, logs to MLflow and ranks.

Real: customers, balances, delays, payments, the label. Made up here, because the source has none:
contact points (a mobile for all, an e-mail address for some, a postal address), days inside the
month, and the past-due amount (the balance of a late account). Touches, promises, consents and
holds are empty: a cold start under the fallback pack `cautious`. Sex, education, marriage and age
are left out: they are protected, and not for contact decisions.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

AS_OF = pd.Timestamp("2005-10-02T16:00Z")  # Monday 3 October, midnight in Taipei
ZONE = "Asia/Taipei"
#: month ends of the six statements, newest first, as the source numbers them
MONTH_ENDS = pd.to_datetime(
    ["2005-09-30", "2005-08-31", "2005-07-31", "2005-06-30", "2005-05-31", "2005-04-30"]
).tz_localize(ZONE) + pd.Timedelta(hours=12)
PAY_COLUMNS = ("PAY_0", "PAY_2", "PAY_3", "PAY_4", "PAY_5", "PAY_6")


def read_source(folder: Path) -> pd.DataFrame:
    """Read the first CSV in the folder that has the source's columns."""
    for path in sorted([*folder.glob("*.csv.gz"), *folder.glob("*.csv")]):
        table = pd.read_csv(path)
        label = next((c for c in table.columns if c.lower().startswith("default")), None)
        if "LIMIT_BAL" in table.columns and label is not None:
            return table.rename(columns={label: "default_next_month"}).reset_index(drop=True)
    raise SystemExit(f"no credit default table (LIMIT_BAL, PAY_0, ...) as CSV in {folder}")


def contract_tables(source: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Write the source as tables of the data contract."""
    ids = pd.Series([f"C{k:06d}" for k in range(len(source))])
    customers = pd.DataFrame({"customer_id": ids, "jurisdiction": "TW", "time_zone": ZONE})
    snapshots = pd.concat([_snapshots(source, ids, k) for k in range(6)], ignore_index=True)
    late = source["PAY_0"].clip(lower=0)
    debts = pd.DataFrame(
        {
            "debt_id": "D" + ids.str[1:],
            "customer_id": ids,
            "product": "credit_card",
            "creditor": "card-issuer",
            "ownership": "first_party",
            "currency": "TWD",
            "principal": source["LIMIT_BAL"].astype(float),
            "opened_at": "2005-01-01",
            "delinquent_since": (
                pd.Timestamp("2005-09-30") - pd.to_timedelta(30 * late, unit="D")
            ).dt.strftime("%Y-%m-%d"),
        }
    )
    return {
        "customers": customers,
        "debts": debts,
        "debt_snapshots": snapshots,
        "payments": _payments(source, ids),
        "contact_points": _contact_points(ids),
        **_empty_tables(),
    }


def _snapshots(source: pd.DataFrame, ids: pd.Series, k: int) -> pd.DataFrame:
    months_late = source[PAY_COLUMNS[k]].clip(lower=0)
    bill = source[f"BILL_AMT{k + 1}"].astype(float)
    balance = bill.clip(lower=0)
    return pd.DataFrame(
        {
            "debt_id": "D" + ids.str[1:],
            "observed_at": MONTH_ENDS[k].tz_convert("UTC"),
            "balance": balance,
            "past_due": np.where(months_late > 0, balance, 0.0),
            "days_past_due": 30.0 * months_late,
            "status": "open",
            # the source's own repayment status and signed bill, kept as they stand
            "x_repayment_status": source[PAY_COLUMNS[k]].astype(float),
            "x_bill": bill,
            "x_bill_to_limit": bill / source["LIMIT_BAL"],
        }
    )


def _payments(source: pd.DataFrame, ids: pd.Series) -> pd.DataFrame:
    parts = []
    for k in range(6):
        amount = source[f"PAY_AMT{k + 1}"].astype(float)
        paid = (amount > 0).to_numpy()
        parts.append(
            pd.DataFrame(
                {
                    "payment_id": (ids + f"-{k}")[paid],
                    "debt_id": ("D" + ids.str[1:])[paid],
                    "paid_at": (MONTH_ENDS[k] - pd.Timedelta(hours=6)).tz_convert("UTC"),
                    "amount": amount[paid],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _contact_points(ids: pd.Series) -> pd.DataFrame:
    has_email = np.arange(len(ids)) % 5 < 3
    parts = []
    for kind, who in (("mobile", slice(None)), ("email", has_email), ("postal", slice(None))):
        own = ids[who]
        parts.append(
            pd.DataFrame({"contact_point_id": own + f"-{kind}", "customer_id": own, "kind": kind})
        )
    points = pd.concat(parts, ignore_index=True)
    return points.assign(place="home", holder="customer", valid_from="2005-01-01T00:00Z")


def _empty_tables() -> dict[str, pd.DataFrame]:
    columns = {
        "consents": "customer_id channel changed_at status",
        "holds": "hold_id customer_id kind starts_at",
        "touches": "touch_id customer_id direction channel started_at outcome",
        "promises": "promise_id debt_id made_at due_at amount",
    }
    return {name: pd.DataFrame(columns=cols.split()) for name, cols in columns.items()}


def cross_validate(portfolio, paid: np.ndarray, n_folds: int = 5) -> pd.DataFrame:
    """Return AUC, log-loss and calibration error of the payment model under random folds."""
    from sklearn.model_selection import StratifiedKFold

    from contactopt import FeaturePipeline, PaymentModel
    from contactopt.journal import Journal
    from contactopt.metrics import auc, expected_calibration_error, log_loss

    journal = Journal(portfolio)
    features = FeaturePipeline().fit(journal, as_of=AS_OF).transform(journal, as_of=AS_OF)
    predicted = np.full(len(paid), np.nan)
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=0)
    for train, test in folds.split(features, paid):
        model = PaymentModel(random_state=0).fit(features.iloc[train], paid[train])
        predicted[test] = model.predict_proba(features.iloc[test])[:, 1]
    figures = {
        "AUC": auc(paid, predicted),
        "log-loss": log_loss(paid, predicted),
        "calibration error": expected_calibration_error(paid, predicted, n_bins=10),
    }
    table = pd.DataFrame(
        {name: (e.value, e.low, e.high) for name, e in figures.items()},
        index=["value", "low 95 %", "high 95 %"],
    ).T
    table.attrs.update(rows=len(paid), share_paid=float(paid.mean()), n_folds=n_folds)
    return table


def run_line(portfolio, out: Path):
    """Fit on the tables alone, log the version, load it back and rank."""
    import contactopt as co
    from contactopt.config import StrategyConfig

    config = StrategyConfig.from_mapping(
        {"currency": "TWD", "fallback": "cautious", "channels": ["call_agent", "email", "letter"]}
    )
    strategy = co.ContactStrategy(config=config).fit(portfolio, as_of=AS_OF)
    uri = f"sqlite:///{(out / 'mlflow.db').as_posix()}"
    version = co.log_strategy(strategy, registered_name="real-credit", tracking_uri=uri)
    loaded = co.load_strategy(f"models:/real-credit/{version.version}", tracking_uri=uri)
    plan = loaded.rank(portfolio, as_of=AS_OF)
    plan.write(out / "plan")
    return plan, version


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder with the credit default table")
    parser.add_argument("--out", type=Path, default=Path("contactopt-demo/real-credit"))
    arguments = parser.parse_args()
    import contactopt as co

    source = read_source(arguments.folder)
    portfolio = co.Portfolio.from_frames(contract_tables(source))
    print(portfolio.validate(as_of=AS_OF), file=sys.stderr)
    # the label belongs to row k of the source, which is customer k in sorted order
    paid = 1 - source["default_next_month"].to_numpy()
    scores = cross_validate(portfolio, paid)
    print(
        f"payment model, 'pays next month', {scores.attrs['n_folds']}-fold, "
        f"{scores.attrs['rows']:,} accounts, {scores.attrs['share_paid']:.1%} pay:"
    )
    print(scores.round(4).to_string())
    arguments.out.mkdir(parents=True, exist_ok=True)
    plan, version = run_line(portfolio, arguments.out)
    print(plan)
    shown = ["customer_id", "channel", "slot_local_hour", "propensity", "expected_value", "debt_id"]
    print(plan.to_frame()[shown].head(10).to_string(index=False))
    report = {
        "scores": scores.to_dict("index"),
        **scores.attrs,
        "version": version.version,
        "planned": len(plan.to_frame()),
    }
    (arguments.out / "real_credit.json").write_text(json.dumps(report, indent=2), encoding="utf-8")
    print(f"registered: {version.name} version {version.version}")


if __name__ == "__main__":
    main()
