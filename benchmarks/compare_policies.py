"""Plans compared by their true expected net value in the simulated world.

    python benchmarks/compare_policies.py [--customers 4000] [--seeds 5] [--out FILE]

For each seed a world runs 100 days under its incumbent, a strategy is fitted on the tables alone,
and every policy plans the same next 24 hours: same customers, same law, same capacities, same
allocation. The value of a plan is the sum of probability x true value over waiting; truth is
known here and nowhere else, so all gains are *simulated*. The whole table is printed twice: for
the frozen preset, and with all latent parameters of the world redrawn.

Rivals
------
random eligible      a random lawful action each, first come first served
fixed waterfall      text early, call at ten when mid, call and letter when late; largest debt first
voice only           agent calls at ten, largest debt first
best channel         the channel with the best conversion in the log, at its best hour
response x amount    LightGBM P(pays | contacted so) x amount: best action each, highest first
LP on static scores  the same scores less cost through the same allocation as ours
ours, tau = 0        our values without exploration and control group
"""

# requirements: 000-09, 000-16, 003-25, 003-28

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

OURS, GREEDY, ORACLE = "contactopt", "ours, tau = 0", "oracle"


def run_world(n_customers: int, seed: int, *, redrawn: bool):
    """Run one world to the end of its history."""
    from contactopt.simulation import World

    world = World("mixed", n_customers=n_customers, random_state=seed)
    if redrawn:
        world = world.redraw_latent(seed)
    return world.run()


def compare(world, seed: int) -> tuple[dict[str, float], dict[str, object]]:
    """Return the true value of every policy's plan, and what ours planned to pay for learning."""
    import contactopt as co
    from contactopt.config import StrategyConfig
    from contactopt.plan import rank
    from contactopt.policy import ContactPolicy
    from contactopt.simulation import capacity_table, strategy_mapping

    config = StrategyConfig.from_mapping({**strategy_mapping("mixed"), "random_state": seed})
    portfolio, as_of = world.portfolio(), world.as_of
    capacity = capacity_table(portfolio.n_customers, as_of.tz_convert("America/New_York").date())
    strategy = co.ContactStrategy(config=config).fit(portfolio, as_of=as_of)
    batch = strategy.score(portfolio, as_of=as_of)
    truth = world.true_values(batch.actions, as_of, objective=config.objective)
    plain = ContactPolicy(exploration=None, holdout_share=0.0)

    def value_of(plan) -> float:
        p = plan.allocation.probabilities[:, :-1] / 2.0**36
        return float((p * truth).sum())

    def allocate(scores: np.ndarray, allowed: np.ndarray | None = None) -> float:
        mask = batch.allowed if allowed is None else batch.allowed & allowed
        scored = replace(batch, value=scores, allowed=mask, lift=scores)
        return value_of(rank(scored, policy=plain, capacity=capacity, pools=config.pools))

    ours = rank(batch, policy=strategy.policy_, capacity=capacity, pools=config.pools)
    out = {OURS: value_of(ours), GREEDY: allocate(batch.value), ORACLE: allocate(truth)}
    for name, (scores, allowed) in rivals(portfolio, as_of, config, batch, strategy, seed).items():
        out[name] = allocate(scores, allowed)
    summary = ours.summary()
    return out, {k: summary[k] for k in ("expected_value", "exploration_and_control_cost")}


def rivals(portfolio, as_of, config, batch, strategy, seed: int, response=None):
    """Return scores and restricted masks (one action per customer) of each rival.

    ``response`` is a `response_model` trained before; without it one is trained on what is known.
    """
    rng = np.random.default_rng([seed, 99])
    n, m = batch.value.shape
    view, frame = contact_log(portfolio, as_of, config)
    conversion = frame.groupby(["channel", "local_hour"], dropna=False)["paid"].mean()
    by_channel = frame.groupby("channel")["paid"].mean().drop("letter", errors="ignore")
    best = str(by_channel.idxmax())
    best_hour = int(conversion.loc[best].idxmax())
    model = response_model(strategy, view, frame) if response is None else response
    static = response_scores(model, strategy, view, batch) * batch.amount[:, None]
    lawful = batch.allowed.any(axis=1)
    draws = np.where(batch.allowed, rng.random((n, m)), -1.0)
    random_choice = np.where(lawful, draws.argmax(axis=1), -1)
    masked = np.where(batch.allowed, static, -np.inf)
    greedy_choice = np.where(lawful, masked.argmax(axis=1), -1)
    return {
        "random eligible": (rng.random((n, m)) + 1.0, _only(random_choice, m)),
        **fixed_rivals(batch),
        "best channel": (_by_debt(batch), _everybody(batch, best, best_hour)),
        "response x amount": (static, _only(greedy_choice, m)),
        "LP on static scores": (static - batch.cost, np.ones((n, m), dtype=bool)),
    }


def fixed_rivals(batch):
    """Return scores and masks of the rivals that follow a fixed rule and learn nothing."""
    # labels say stage and balance, for example "early · low balance"
    stage = np.array([str(label).partition(" · ")[0] for label in batch.segment], dtype=object)
    calls = _everybody(batch, "call_agent", 10)
    early = _everybody(batch, "sms", 10) & (stage == "early")[:, None]
    mid = calls & (stage == "mid")[:, None]
    behind = np.isin(stage, ["late", "charged off"])
    late = (calls | _everybody(batch, "letter", -1)) & behind[:, None]
    return {
        "fixed waterfall": (_by_debt(batch), early | mid | late),
        "voice only": (_by_debt(batch), calls),
    }


def _only(choice: np.ndarray, m: int) -> np.ndarray:
    """Return the mask of one action per customer; -1: none."""
    mask = np.zeros((len(choice), m), dtype=bool)
    rows = np.flatnonzero(choice >= 0)
    mask[rows, choice[rows]] = True
    return mask


def _everybody(batch, name: str, at: int) -> np.ndarray:
    """Return the mask of one channel at one hour (or of its arm without an hour) for everybody."""
    n, m = batch.value.shape
    channel = np.array([a.channel for a in batch.actions], dtype=object)
    arm = np.flatnonzero(
        (channel == name) & ((batch.actions.hours == at) | (batch.actions.hours < 0))
    )
    return _only(np.full(n, arm[0]), m)


def _by_debt(batch) -> np.ndarray:
    """Return scores by which the largest debt comes first."""
    n, m = batch.value.shape
    past_due = batch.amount + 1e-6 * np.arange(n)[::-1]
    return np.repeat(past_due[:, None], m, axis=1)


def contact_log(portfolio, as_of, config):
    """Return the view and the contacts whose payment window has closed, with its outcome."""
    from contactopt.journal import payment_labels
    from contactopt.journal.local_time import DAY_US
    from contactopt.journal.terms import open_journal
    from contactopt.models.reach.attempt_history import attempt_history

    journal = open_journal(portfolio, config)
    view = journal.as_of(as_of)
    attempts = attempt_history(view)
    horizon = config.objective.horizon_days
    attempts = attempts[attempts["age_days"] > horizon].reset_index(drop=True)
    when = (view.as_of_us - attempts["age_days"].to_numpy() * DAY_US).astype(np.int64)
    who = attempts["customer"].to_numpy(dtype=np.int64)
    paid = payment_labels(journal, who, when, horizon_days=horizon, as_of=as_of)["paid"]
    return view, attempts.assign(paid=paid.to_numpy(dtype=float), when=when)


def response_model(strategy, view, frame: pd.DataFrame):
    """Train LightGBM on P(pays within the horizon | contacted by this channel at this hour)."""
    import lightgbm as lgb

    sample = frame.sample(min(len(frame), 60_000), random_state=0)
    X = strategy.models_.features.transform(
        view.journal,
        customers=sample["customer"].to_numpy(dtype=np.int64),
        as_of=sample["when"].to_numpy(dtype=np.int64),
    ).select_dtypes("number")
    codes = {c: k for k, c in enumerate(sorted(frame["channel"].unique()))}
    matrix = np.column_stack(
        [
            X.to_numpy(np.float32),
            sample["channel"].map(codes).to_numpy(float),
            sample["local_hour"].to_numpy(float),
        ]
    )
    model = lgb.LGBMClassifier(n_estimators=200, num_leaves=31, verbose=-1, n_jobs=1)
    model.fit(matrix, sample["paid"].to_numpy(int), categorical_feature=[matrix.shape[1] - 2])
    return model, list(X.columns), codes


def response_scores(trained, strategy, view, batch) -> np.ndarray:
    """Return the model's probability for every customer and action, (n, m)."""
    model, names, codes = trained
    features = strategy.models_.features
    now = features.transform(view.journal, as_of=batch.as_of)[names].to_numpy(np.float32)
    out = np.zeros(batch.value.shape)
    for k, action in enumerate(batch.actions):
        hour = np.nan if action.slot_local_hour is None else action.slot_local_hour
        arm = np.column_stack(
            [now, np.full(len(now), codes.get(action.channel, -1)), np.full(len(now), hour)]
        )
        out[:, k] = np.asarray(model.predict_proba(arm))[:, 1]
    return out


def table_of(results: list[dict[str, float]]) -> pd.DataFrame:
    """Mean share of the oracle, and the paired difference of ours to each, over seeds."""
    frame = pd.DataFrame(results)
    share = frame.div(frame[ORACLE], axis=0)
    ahead = share[[OURS]].to_numpy() - share
    # 95 % interval of the mean over seeds (Student)
    from scipy.stats import t

    half = t.ppf(0.975, max(len(frame) - 1, 1)) * ahead.std(ddof=1) / np.sqrt(len(frame))
    table = pd.DataFrame(
        {
            "true value": frame.mean(),
            "share of oracle": share.mean(),
            "contactopt ahead by": ahead.mean(),
            "+-": half,
            "seeds ahead": (ahead > 0).sum(),
        }
    )
    return table.sort_values("true value", ascending=False)


def learning_line(results: list[dict[str, float]], planned: list[dict[str, object]]) -> str:
    """Say what learning and control really cost against tau = 0, beside what was planned."""
    from scipy.stats import t

    real = np.array([r[GREEDY] - r[OURS] for r in results])
    plan = float(np.mean([float(str(p["exploration_and_control_cost"])) for p in planned]))
    half = t.ppf(0.975, max(len(real) - 1, 1)) * real.std(ddof=1) / np.sqrt(len(real))
    return (
        f"behind tau = 0 by {real.mean():.0f} +- {half:.0f} (true), planned {plan:.0f} (estimated)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--customers", type=int, default=4_000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=None, help="write the figures as JSON")
    arguments = parser.parse_args()
    report = {}
    for title, redrawn in (("frozen preset", False), ("all latent parameters redrawn", True)):
        results, planned = [], []
        for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
            world = run_world(arguments.customers, seed, redrawn=redrawn)
            values, costs = compare(world, seed)
            results.append(values)
            planned.append(costs)
        table = table_of(results)
        print(f"\nSimulated, {title}: {arguments.customers} customers, {arguments.seeds} seeds")
        print(table.round(3).to_string())
        print(learning_line(results, planned))
        report[title] = {"per_seed": results, "planned": planned, "table": table.to_dict("index")}
    if arguments.out is not None:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(report, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
