"""A contact policy on VowpalWabbit's squarecb, fed with the features that ours has.

It learns from the incumbent's contacts (and as many quiet customer-days), then day by day from
its own decisions, as soon as their window of `WINDOW_DAYS` has closed. Each customer draws one
action, waiting included, from squarecb's probabilities; capacities serve those first for whom the
model sees most over waiting. squarecb gives action a with predicted cost c(a) above the best
c(b) the probability 1 / (A + gamma (c(a) - c(b))), so 1 / p tells the predicted costs of one
model up to gamma, alike for all customers (Foster and Rakhlin 2020, Algorithm 1).
"""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

#: a month-long window would close after the simulated month; a week lets the rival learn in it
WINDOW_DAYS, HISTORY_ROWS = 7, 20_000


@dataclass
class SquareCb:
    """The policy of one world; the model lives in a child process with the peer's Python."""

    python: str
    seed: int
    cpu_seconds: float = 0.0
    _waiting: list[dict] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="contactopt-squarecb-")
        self._child = subprocess.Popen(
            [self.python, "-m", "squarecb.child", str(self.seed)],
            cwd=Path(__file__).resolve().parents[1],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._rng = np.random.default_rng([self.seed, 31])

    def start(self, strategy, portfolio, batch) -> None:
        """Learn from the incumbent's contacts, those whose window has closed."""
        journal, view = _opened(strategy, portfolio, batch)
        self._arms = _arms(batch.actions)
        who, when, action = history(view, batch.actions, self._rng)
        X = _numbers(strategy.models_.features.transform(journal, customers=who, as_of=when))
        seen = pd.DataFrame(X)
        self._mean, self._sd = seen.mean().to_numpy(), seen.std(ddof=0).to_numpy() + 1e-9
        money = self._money(journal, who, when, view.as_of_us)
        self._scale = float(np.quantile(money[money > 0], 0.99))
        cost = np.append(batch.cost.mean(axis=0), 0.0)[action]
        share = np.bincount(action, minlength=len(self._arms)) / len(action)
        eligible = np.zeros((len(who), len(self._arms)), dtype=bool)
        eligible[np.arange(len(who)), action] = eligible[:, -1] = True
        self._learn(X, eligible, action, money, cost, share[action])

    def scores(self, strategy, portfolio, batch) -> tuple[np.ndarray, np.ndarray]:
        """Return scores and the mask that leaves each customer the one action drawn."""
        journal, view = _opened(strategy, portfolio, batch)
        self._learn_own(journal, view.as_of_us)
        X = _numbers(strategy.models_.features.transform(journal, as_of=batch.as_of))
        eligible = np.column_stack([batch.allowed, np.ones(len(X), dtype=bool)])
        p = self._ask("predict", X=self._scaled(X), eligible=eligible)
        p /= p.sum(axis=1, keepdims=True)
        drawn = (self._rng.random((len(p), 1)) > p.cumsum(axis=1)).sum(axis=1)
        drawn = np.minimum(drawn, p.shape[1] - 1)
        rows = np.arange(len(p))
        above_best = np.where(eligible, 1.0 / np.maximum(p, 1e-9), 0.0)
        above_best[rows, p.argmax(axis=1)] = eligible.sum(axis=1)
        gain = above_best[:, -1] - above_best[rows, drawn]
        self._drawn = {
            "X": X, "eligible": eligible, "action": drawn, "p": p[rows, drawn],
            "customer": view.customer_ids, "cost": np.append(batch.cost.mean(axis=0), 0.0)[drawn],
            "when": view.as_of_us,
        }  # fmt: skip
        n, m = batch.value.shape
        only = np.zeros((n, m), dtype=bool)
        act = np.flatnonzero(drawn < p.shape[1] - 1)
        only[act, drawn[act]] = True
        # squarecb's exploration is carried out too: all that was drawn is worth its capacity
        return np.repeat((gain - gain.min() + 1.0)[:, None], m, axis=1), only

    def decided(self, frame: pd.DataFrame) -> None:
        """Keep what was carried out of the last draw, to be learned when its window closes."""
        drawn = self._drawn
        sent = pd.Series(frame["channel"].to_numpy(), index=frame["customer_id"].to_numpy())
        contacted = sent.reindex(drawn["customer"]).fillna("wait").to_numpy() != "wait"
        waits = drawn["action"] == drawn["eligible"].shape[1] - 1
        # whom capacity left out waited with a probability that squarecb does not know
        known = contacted | waits
        self._waiting.append({k: _rows(x, known) for k, x in drawn.items()})

    def close(self) -> None:
        """End the child process."""
        if self._child.stdin is not None:
            self._child.stdin.close()
        self._child.wait()
        self._folder.cleanup()

    # ---- learning --------------------------------------------------------------------------------

    def _learn_own(self, journal, now_us: int) -> None:
        while self._waiting and now_us - self._waiting[0]["when"] > WINDOW_DAYS * 86_400e6:
            own = self._waiting.pop(0)
            ids = pd.Index(journal.customer_ids)
            who = ids.get_indexer(pd.Index(own["customer"])).astype(np.int64)
            when = np.full(len(who), own["when"], dtype=np.int64)
            money = self._money(journal, who, when, now_us)
            self._learn(own["X"], own["eligible"], own["action"], money, own["cost"], own["p"])

    def _learn(self, X, eligible, action, money, cost, p) -> None:
        cost = np.clip((cost - money) / self._scale, -1.0, 1.0)
        self._ask(
            "learn", X=self._scaled(X), eligible=eligible, action=action, cost=cost, propensity=p
        )

    def _money(self, journal, who, when, now_us: int) -> np.ndarray:
        from contactopt.journal import payment_labels

        as_of = pd.Timestamp(now_us, unit="us", tz="UTC")
        labels = payment_labels(journal, who, when, horizon_days=WINDOW_DAYS, as_of=as_of)
        return labels["amount"].fillna(0.0).to_numpy(dtype=float)

    def _scaled(self, X) -> np.ndarray:
        return np.nan_to_num(np.clip((X - self._mean) / self._sd, -4.0, 4.0)).astype(np.float32)

    def _ask(self, command: str, **given: np.ndarray) -> np.ndarray:
        path, answer = (
            f"{self._folder.name}/{name}.np{end}" for name, end in (("q", "z"), ("a", "y"))
        )
        np.savez(path, allow_pickle=False, arms=self._arms, **given)
        assert self._child.stdin is not None and self._child.stdout is not None
        self._child.stdin.write(f"{command} {path} {answer}\n")
        self._child.stdin.flush()
        said = self._child.stdout.readline().split()
        if said[:1] != ["done"]:
            raise RuntimeError("the peer's process ended; see its standard error")
        self.cpu_seconds = float(said[1])
        return np.load(answer) if command == "predict" else np.empty(0)


def history(view, actions, rng):
    """Return customers, instants and arms of closed contacts and as many quiet customer-days."""
    from contactopt.journal.local_time import DAY_US
    from contactopt.models.reach.attempt_history import attempt_history

    attempts = attempt_history(view)
    attempts = attempts[attempts["age_days"] > WINDOW_DAYS]
    attempts = attempts.iloc[np.sort(rng.permutation(len(attempts))[:HISTORY_ROWS])]
    arm = {(a.channel, a.slot_local_hour): k for k, a in enumerate(actions)}
    hours = [None if pd.isna(h) else int(h) for h in attempts["local_hour"]]
    pairs = list(zip(attempts["channel"], hours, strict=True))
    action = np.array([arm.get((c, h), arm.get((c, None), -1)) for c, h in pairs], dtype=np.int64)
    who = attempts["customer"].to_numpy(dtype=np.int64)[action >= 0]
    age = attempts["age_days"].to_numpy(dtype=float)[action >= 0]
    action = action[action >= 0]
    calm_age = rng.uniform(WINDOW_DAYS, age.max(), len(who))
    calm = rng.integers(0, len(view.customer_ids), len(who))
    busy = set(zip(who.tolist(), np.floor(age).astype(int).tolist(), strict=True))
    quiet = np.array([(c, int(d)) not in busy for c, d in zip(calm, calm_age, strict=True)])
    who, age = np.append(who, calm[quiet]), np.append(age, calm_age[quiet])
    action = np.append(action, np.full(int(quiet.sum()), len(actions)))
    return who, (view.as_of_us - age * DAY_US).astype(np.int64), action


def _opened(strategy, portfolio, batch):
    from contactopt.journal.terms import open_journal

    journal = open_journal(portfolio, strategy.config)
    return journal, journal.as_of(batch.as_of)


def _numbers(features: pd.DataFrame) -> np.ndarray:
    return features.select_dtypes("number").to_numpy(dtype=np.float64)


def _arms(actions) -> np.ndarray:
    """Return channel number and hour of each action, and of waiting as the last, (m + 1, 2)."""
    channels = sorted({a.channel for a in actions})
    told = [(channels.index(a.channel), -1 if a.slot_local_hour is None else a.slot_local_hour)
            for a in actions]  # fmt: skip
    return np.array([*told, (len(channels), -1)], dtype=np.int64)


def _rows(x, known: np.ndarray):
    return x[known] if isinstance(x, np.ndarray) else x
