"""How the files beside this script were made. It must not be run again.

``bundle_v1``, ``portfolio_v1``, ``log_v1`` and ``scores_v1.json`` were written once, by version
0.1.0 of the library with the first bundle format. They stand for strategies that people saved
years ago: whatever the library becomes, they must load and score as they did. Running this script
with a later version would replace the evidence by itself, so it refuses.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

import contactopt as co
from contactopt.config import StrategyConfig

HERE = Path(__file__).parent
CONFIG = {
    "fallback": "cautious",
    "currency": "USD",
    "exchange_rates": {"COP": 0.00025, "EUR": 1.08},
    "channels": {"call_agent": {}, "sms": {}, "email": {}, "letter": {}, "rcs": {"like": "sms"}},
    "slots": [9, 13, 18],
    "pools": {
        "agents": {
            "time_zone": "America/New_York",
            "unit": "minutes",
            "handling_minutes_per_contact": 6.0,
            "serves": {"channels": ["call_agent"]},
        }
    },
    "models": {"max_training_rows": 900},
    "random_state": 4,
}
N_KEPT = 12
#: what the models say; masks are left out, for rule packs change with the law
CUSTOMER_ARRAYS = ("p_pay_wait", "amount")
PAIR_ARRAYS = ("p_reach", "p_pay", "lift", "cost", "harm", "value", "spread")


def main() -> None:
    if (HERE / "bundle_v1").exists():
        sys.exit("the first format is frozen: these files are never made again")
    world = co.datasets.load_demo(n_customers=260, random_state=7, n_days=75)
    as_of = world.latest_instant()
    strategy = co.ContactStrategy(config=StrategyConfig.from_mapping(CONFIG))
    digest = strategy.fit(world, as_of=as_of).save(HERE / "bundle_v1")
    kept = np.random.default_rng(1).choice(world.customer_ids, N_KEPT, replace=False)
    few = world.subset(sorted(kept))
    folder = HERE / "portfolio_v1"
    folder.mkdir()
    for name, table in few.tables.items():
        # which point and which debt an action names depends on the mask; without these two
        # columns no score does
        rows = table.drop(columns=["quality_share", "margin_share"], errors="ignore")
        text = rows.copy()
        for column in rows.select_dtypes("datetimetz"):
            text[column] = rows[column].map(lambda at: at.isoformat(), na_action="ignore")
        text.to_csv(folder / f"{name}.csv", index=False)
    document = {"complete_to": {t: at.isoformat() for t, at in world.complete_to.items()}}
    (folder / "portfolio.json").write_text(json.dumps(document, indent=1) + "\n")
    pd.DataFrame(
        {"pool": "agents", "date": [as_of.date(), as_of.date() + pd.Timedelta(days=1)], "units": 18}
    ).to_csv(folder / "capacity.csv", index=False)

    portfolio = co.Portfolio.from_folder(folder)
    batch = strategy.score(portfolio, as_of=as_of)
    scores = {
        "as_of": as_of.isoformat(),
        "content_hash": digest,
        "customer_ids": batch.customer_ids.tolist(),
        "action_ids": list(batch.actions.action_ids),
        **{name: getattr(batch, name).tolist() for name in CUSTOMER_ARRAYS + PAIR_ARRAYS},
    }
    (HERE / "scores_v1.json").write_text(json.dumps(scores, indent=1) + "\n")
    strategy.rank(portfolio, as_of=as_of).write(HERE / "log_v1")


if __name__ == "__main__":
    main()
