"""How near the reach model comes to the true chances of being reached in the simulated world.

    python benchmarks/reach_in_simulation.py [--customers 5000] [--seeds 2] [--days 100]
        [--out FILE]

Each world runs some days under its incumbent, to the next morning of a weekday (people are at
hand at other hours at weekends, of which the incumbent's calls say next to nothing). The model sees
the log alone (attempts, outcomes, logged propensities, quality of contact points) and predicts
every (customer, channel, hour) of that morning. Beside its correlation with the truth stands a
ceiling: the truth with every customer's tastes and hours replaced by everybody's mean, while dead
points, blocked phones and fatigue are known exactly. Some fifteen attempts per customer in 100
days, two thirds of them at one hour, tell little more of a person than that.

curve           correlation of the call curve over 8-19 h with the mean truth; beside it the raw
                rate by hour, and the hour with most contacts, which is when the incumbent calls
"""

# requirements: 002-23

from __future__ import annotations

import argparse
import copy
import dataclasses
import json
from pathlib import Path

import numpy as np
from scheduling import Learned, space, usable_points

_HOURS = list(range(8, 20))
_SATURDAY = 5


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation over all entries, 0 where one side is constant."""
    if a.std() < 1e-12 or b.std() < 1e-12:
        return 0.0
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def ceiling(world, actions) -> np.ndarray:
    """Truth with everybody's mean tastes and hours: what is left are facts about lines and load."""
    from contactopt.simulation import truth

    state = copy.copy(world.state)
    state.latent = copy.copy(state.latent)
    n = state.n_customers
    state.latent.taste = np.repeat(state.latent.taste.mean(axis=0)[None], n, axis=0)
    state.latent.answer = np.repeat(state.latent.answer.mean(axis=0)[None], n, axis=0)
    return truth.true_reach(state, actions)


def one_world(
    preset: str, seed: int, n_customers: int, ten_share: float, n_days: int
) -> dict[str, object]:
    """Run, fit and compare."""
    from contactopt.contracts import ActionSpace
    from contactopt.simulation import PRESETS, World

    law = dataclasses.replace(PRESETS[preset], incumbent_ten_share=ten_share)
    world = World(law, n_customers=n_customers, random_state=seed, n_days=n_days).run()
    while (world.state.start_weekday + world.day) % 7 >= _SATURDAY:
        world.run(1)
    learned = Learned(world)
    learned.refresh(world)
    actions, p = space(), learned.p
    true = world.true_reach(actions)
    names = np.array([a.channel for a in actions])
    calls = ActionSpace.from_channels({"call_agent": _HOURS})
    curve = learned.model.predict(["anybody"], calls).probability[0]
    planted = world.true_reach(calls).mean(axis=0)
    log = Learned.history(world)[1]
    n_attempts = len(log)
    log = log[log["channel"] == "call_agent"]
    raw = log.groupby("local_hour")["reached"].mean().reindex(_HOURS).to_numpy()
    hours = log.loc[log["reached"] == 1, "local_hour"].to_numpy(dtype=np.int64)
    there = usable_points(world, actions)[1]
    verdicts = {k: v["verdict"] for k, v in learned.model.hour_effect_.items()}
    return {
        "preset": preset,
        "seed": seed,
        "days": int(world.day),
        "attempts per customer": n_attempts / n_customers,
        "correlation": correlation(p, true),
        "ceiling": correlation(ceiling(world, actions), true),
        "with a point": correlation(p[there], true[there]),
        "by channel": {
            c: correlation(p[:, names == c], true[:, names == c]) for c in actions.channels
        },
        "mean": {
            c: [float(p[:, names == c].mean()), float(true[:, names == c].mean())]
            for c in actions.channels
        },
        "curve": correlation(curve, planted),
        "curve, raw rate": correlation(raw, planted),
        "best hour": [int(_HOURS[k.argmax()]) for k in (curve, planted)],
        "most engaged hour": int(np.bincount(hours, minlength=24).argmax()),
        "hour effect": verdicts,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--customers", type=int, default=5000)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--days", type=int, default=100)
    parser.add_argument("--presets", default="mixed,early,mid,late,charged_off")
    parser.add_argument("--ten-share", type=float, default=0.70)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    rows = []
    print("preset       seed  corr  ceiling  curve  raw rate  best hour (true)  most engaged")
    for preset in args.presets.split(","):
        for seed in range(args.seeds):
            row = one_world(preset, seed, args.customers, args.ten_share, args.days)
            rows.append(row)
            ours, true = row["best hour"]  # type: ignore[misc]
            print(
                f"{preset:12} {seed:4}  {row['correlation']:.3f}  {row['ceiling']:.3f}    "
                f"{row['curve']:.3f}  {row['curve, raw rate']:.3f}     {ours:>2} ({true:>2})"
                f"           {row['most engaged hour']}",
                flush=True,
            )
    if args.out:
        args.out.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
