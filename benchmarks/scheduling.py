"""What choosing the hour, or channel and hour, adds to payments in the simulated world.

    python benchmarks/scheduling.py [--customers 3000] [--seeds 6] [--days 28] [--out FILE]

A world runs 100 days under its incumbent, which calls most people at ten; a reach model is fitted
on that log. Then the same world is continued several times with the same random numbers, so that
the arms are paired:

incumbent       as before
scheduling      the same customers, channels and volume each day; only the hour is chosen, by the
                model where it has shown that hours matter (else the incumbent's hour stays)
joint           the same customers and the same volume per channel each day; who gets which channel
                at which hour is chosen by reach x the effect prior of the channel. Messages have no
                effect of their own in this world, so that the message cannot add to it
oracle, hour    as scheduling, with the true chances of being reached
oracle, joint   as joint, with the true value of every action
nobody          no contact at all: what is paid anyway

Lifts are in the number of payments over the incumbent, with 95 % intervals over the worlds
(Student's t). Payments that contact brings are the incumbent's less those of `nobody`; the lift in
them says what part of the room there is was used. All figures are simulated.
"""

# requirements: 000-09, 003-26

from __future__ import annotations

import argparse
import copy
import json
from pathlib import Path

import numpy as np
import pandas as pd

ARMS = ("incumbent", "scheduling", "joint", "oracle, hour", "oracle, joint", "nobody")
_LOG_DAYS = 100
_REFRESH_DAYS = 7
_SATURDAY = 5


def space():
    """Channels of the incumbent at the hours it works."""
    from contactopt.contracts import ActionSpace

    hours = list(range(8, 20))
    timed = ("call_agent", "call_bot", "sms", "whatsapp", "email")
    return ActionSpace.from_channels({**dict.fromkeys(timed, hours), "letter": [None]})


def incumbent_actions(world) -> pd.DataFrame:
    """Return what the incumbent would do today, without doing it."""
    from contactopt.simulation import WORLD_CHANNELS
    from contactopt.simulation.incumbent import decide
    from contactopt.simulation.record import Recorder

    u = world._uniforms()[28:32]
    attempts = decide(world.state, Recorder(), world._facts.bureau_score, u)
    channel = np.array(WORLD_CHANNELS, dtype=object)[attempts.channel]
    hour = np.where(attempts.hour < 0, np.nan, attempts.hour)
    ids = world.customer_ids[attempts.customer]
    return pd.DataFrame(
        {
            "customer_id": ids,
            "channel": channel,
            "slot_local_hour": hour,
            "customer": attempts.customer,
        }
    )


def usable_points(world, actions) -> tuple[np.ndarray, np.ndarray]:
    """Quality of the point each action would use (NaN: none) and whether there is one, (n, m)."""
    from contactopt.simulation import WORLD_CHANNELS
    from contactopt.simulation.response import default_point

    state, n = world.state, world.state.n_customers
    quality = np.full((n, len(actions)), np.nan)
    there = np.zeros((n, len(actions)), dtype=bool)
    for k, action in enumerate(actions):
        point = default_point(state, np.arange(n), WORLD_CHANNELS.index(action.channel))
        there[:, k] = point >= 0
        quality[:, k] = np.where(point >= 0, state.points.quality[np.maximum(point, 0)], np.nan)
    return quality, there


class Learned:
    """A reach model fitted once, its history read anew every week."""

    def __init__(self, world) -> None:
        from contactopt.models import ReachModel

        self.actions = space()
        self.model = ReachModel().fit(self.history(world)[1])
        self.shown = np.array(
            [
                self.model.hour_effect_.get(a.channel, {}).get("verdict") == "shown"
                for a in self.actions
            ]
        )
        self.p = np.zeros((0, 0))

    @staticmethod
    def history(world):
        """Return the journal's view of now and every attempt until now."""
        from contactopt.config import StrategyConfig
        from contactopt.journal.terms import open_journal
        from contactopt.models.reach.attempt_history import attempt_history
        from contactopt.simulation import strategy_mapping

        config = StrategyConfig.from_mapping(strategy_mapping(world.preset))
        view = open_journal(world.portfolio(), config).as_of(world.as_of)
        return view, attempt_history(view)

    def refresh(self, world) -> None:
        """Predict everybody from the history of this arm until today."""
        from contactopt.models.reach.attempt_history import recent_touches

        view, history = self.history(world)
        quality, there = usable_points(world, self.actions)
        self.p = self.model.predict(
            np.arange(world.state.n_customers),
            self.actions,
            history=history,
            touches_7d=recent_touches(view),
            point_quality=quality,
            has_point=there,
        ).probability


def lawful_hours(world, actions, customers: np.ndarray) -> np.ndarray:
    """Hours at which the incumbent may act today, (r, m): its own, fewer on Saturdays."""
    weekday = (world.state.start_weekday + world.day) % 7
    hours = actions.hours
    open_ = (hours < 0) | ((hours >= 9) & (hours < 14)) if weekday == _SATURDAY else hours < 24
    early = world.state.people.zone[customers] == 5  # eight o'clock lies before the decision
    return open_[None, :] & ~(early[:, None] & (hours == 8)[None, :])


def choose_hours(
    world, today: pd.DataFrame, score: np.ndarray, actions, may_change
) -> pd.DataFrame:
    """Replace the hour of every attempt by the best one through the same channel."""
    who = today["customer"].to_numpy()
    value = np.where(lawful_hours(world, actions, who), score[who], -np.inf)
    names = np.array([a.channel for a in actions], dtype=object)
    same = names[None, :] == today["channel"].to_numpy()[:, None]
    best = np.where(same & may_change[None, :], value, -np.inf)
    pick = best.argmax(axis=1)
    changes = np.isfinite(best.max(axis=1)) & (actions.hours[pick] >= 0)
    hour = np.where(changes, actions.hours[pick], today["slot_local_hour"])
    return today.assign(slot_local_hour=hour)


def choose_both(world, today: pd.DataFrame, score: np.ndarray, actions) -> pd.DataFrame:
    """Share out today's channels anew among today's customers, each at its best hour."""
    from scipy.optimize import linear_sum_assignment

    who = today["customer"].to_numpy()
    allowed = lawful_hours(world, actions, who) & consented(world, actions, who)
    value = np.where(allowed, score[who], -np.inf)
    names = np.array([a.channel for a in actions], dtype=object)
    channels = today["channel"].to_numpy()
    best, at = {}, {}
    for c in pd.unique(channels):
        arms = np.flatnonzero(names == c)
        k = value[:, arms].argmax(axis=1)
        best[c], at[c] = value[np.arange(len(who)), arms[k]], arms[k]
    # one column per attempt of the incumbent: its channel is the capacity that may be used
    table = np.column_stack([best[c] for c in channels])
    own = np.arange(len(who))
    table[own, own] = np.where(np.isfinite(table[own, own]), table[own, own], 0.0)
    rows, columns = linear_sum_assignment(np.where(np.isfinite(table), table, -1e6), maximize=True)
    chosen = channels[columns]
    hour = np.array([actions.hours[at[c][r]] for r, c in zip(rows, chosen, strict=True)])
    return today.assign(channel=chosen, slot_local_hour=np.where(hour < 0, np.nan, hour))


def consented(world, actions, customers: np.ndarray) -> np.ndarray:
    """Channels that the customer has agreed to and not left, (r, m)."""
    from contactopt.simulation import WORLD_CHANNELS

    code = np.array([WORLD_CHANNELS.index(a.channel) for a in actions])
    agreed = (world.state.people.consent > 0) & ~world.state.opted_out
    return agreed[customers][:, code]


def channel_gain(actions) -> np.ndarray:
    """Effect prior of each action's channel given reach, (m,)."""
    from contactopt.models.effect.priors import EFFECT_PRIOR

    return np.array([EFFECT_PRIOR[a.channel][0] for a in actions])


def planned(arm: str, world, today: pd.DataFrame, learned: Learned) -> pd.DataFrame:
    """Return what an arm makes of the incumbent's attempts of the day."""
    actions = learned.actions
    if arm == "incumbent" or today.empty:  # nobody works on Sundays
        return today
    if arm == "scheduling":
        return choose_hours(world, today, learned.p, actions, learned.shown)
    if arm == "joint":
        return choose_both(world, today, learned.p * channel_gain(actions), actions)
    if arm == "oracle, hour":
        every = np.ones(len(actions), dtype=bool)
        return choose_hours(world, today, world.true_reach(actions), actions, every)
    return choose_both(world, today, world.true_values(actions), actions)


def one_world(seed: int, n_customers: int, n_days: int, preset: str) -> dict[str, dict[str, float]]:
    """Return payments and money of every arm in one world."""
    from contactopt.simulation import World

    start = World(
        preset, n_customers=n_customers, random_state=seed, n_days=_LOG_DAYS + n_days
    ).run(_LOG_DAYS)
    learned = Learned(start)
    plan: list[pd.DataFrame] = []
    out = {}
    for arm in ARMS:
        world, mine = copy.deepcopy(start), copy.copy(learned)
        paid, money, contacts = 0, 0.0, 0
        for k in range(n_days):
            if arm == "incumbent":
                plan.append(incumbent_actions(world))
            if arm in ("scheduling", "joint") and k % _REFRESH_DAYS == 0:
                mine.refresh(world)
            today = plan[k].iloc[:0] if arm == "nobody" else planned(arm, world, plan[k], mine)
            new = world.step(world.day, today.drop(columns="customer"))
            paid += len(new["payments"])
            money += float(new["payments"]["amount"].sum())
            contacts += len(today)
        out[arm] = {"payments": paid, "money": money, "contacts": contacts}
    return out


def lifts(worlds: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, list[float]]]:
    """Mean lift over the incumbent and its 95 % interval per arm and measure."""
    from scipy.stats import t

    def interval(x: np.ndarray) -> list[float]:
        half = t.ppf(0.975, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x)) if len(x) > 1 else np.nan
        return [float(x.mean()), float(x.mean() - half), float(x.mean() + half)]

    out: dict[str, dict[str, list[float]]] = {}
    for arm in ARMS[1:]:
        out[arm] = {}
        for what in ("payments", "money"):
            ours = np.array([w[arm][what] for w in worlds])
            base = np.array([w["incumbent"][what] for w in worlds])
            none = np.array([w["nobody"][what] for w in worlds])
            out[arm][what] = interval(ours / base - 1)
            out[arm][f"{what} that contact brings"] = interval((ours - base) / (base - none))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--customers", type=int, default=3000)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--days", type=int, default=28)
    parser.add_argument("--preset", default="mixed")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    worlds = []
    for seed in range(args.seeds):
        worlds.append(one_world(seed, args.customers, args.days, args.preset))
        print(f"world {seed}: " + ", ".join(f"{a} {w['payments']}" for a, w in worlds[-1].items()))
    table = lifts(worlds)
    print(f"\nsimulated lift over the incumbent, {args.preset}, {args.seeds} worlds of "
          f"{args.customers} customers, {args.days} days, 95 % interval")  # fmt: skip
    for arm, row in table.items():
        for what, (mean, low, high) in row.items():
            print(f"  {arm:14} {what:30} {mean:+7.1%}  ({low:+.1%} to {high:+.1%})")
    if args.out:
        settings = {k: v for k, v in vars(args).items() if k != "out"}
        report = {"settings": settings, "lifts": table, "worlds": worlds}
        args.out.write_text(json.dumps(report, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
