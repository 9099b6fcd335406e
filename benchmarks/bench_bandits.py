"""The bandit against the others on their own ground: true mean reward, regret, rounds per second.

    python benchmarks/bench_bandits.py [--seeds 5] [--tasks linear sparse penbased]
        [--data FOLDER] [--peers NAME ...] [--peer-python PYTHON ...] [--peer-seeds NAME=N ...]
        [--threads 2] [--out FILE]

Tasks: linear and sparse are generated (100,000 rounds, 12 actions, 31 features, batches of 1,000;
in sparse 1-2 % rewards and half of the actions of each row ineligible); penbased turns the
pen-stroke digits in FOLDER/multiclass (default: environment variable CONTACTOPT_DATA) into a
bandit, 10 actions, batches of 100. Every policy proposes a batch, then learns its rewards; the same
tickets decide the rewards of all. Scores are true mean rewards, regret is against the best eligible
action. Rows of our policy and of the NumPy baselines run here, each peer in a child process:
mabwiser, contextualbandits and vowpalwabbit with this interpreter or the first --peer-python in
which they can be imported (beside NumPy). Peers that are not there are named at the end. A slow
peer may take fewer seeds (--peer-seeds "vowpalwabbit squarecb=2"): the table and the output say on
how many each competitor stands, and ratios are taken over the seeds that both have played.

Our policy is `contactopt.BanditPolicy` at its defaults on every task, with --threads threads (on
which no probability depends).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from bandits.baselines import Ridge
from bandits.peer import PEERS
from bandits.tasks import FIRST_SEED, TASKS, play

_OURS = "contactopt BanditPolicy"
_BASELINES = {"numpy ridge, greedy": "greedy", "numpy ridge, inverse gap": "inverse_gap"}
_BASELINES |= {"numpy ridge, Thompson": "thompson"}
#: bars: regret over the best competitor's per task, effective share of the uniform policy, rounds/s
_RATIO, _WORST, _SHARE, _SPEED = 1.15, 1.3, 0.003, 1e6


class Ours:
    """The public class at its defaults."""

    def __init__(self, n_actions: int, seed: int, threads: int = 1) -> None:
        from contactopt import BanditPolicy

        self.policy = BanditPolicy(n_actions=n_actions, random_state=seed, num_threads=threads)

    def choose(self, X: Any, mask: Any) -> tuple[Any, Any]:
        """Propose and draw."""
        p = self.policy.action_probabilities(X, mask)
        action, self.propensity = self.policy.draw(X, mask, probabilities=p)
        return action, p

    def learn(self, X: Any, action: Any, reward: Any, mask: Any) -> None:
        """Learn with the logged propensities."""
        self.policy.update(X, action, reward, self.propensity, mask)


def warm_up() -> None:
    """Compile the kernels before anything is timed."""
    policy, rng = Ours(3, 0), np.random.default_rng(0)
    for mask in (None, np.ones((50, 3), dtype=bool)):
        X = rng.normal(size=(50, 2))
        action, _ = policy.choose(X, mask)
        policy.learn(X, action, rng.random(50), mask)


def find_python(package: str, pythons: list[str]) -> str | None:
    """Return the first interpreter that can import the package beside NumPy."""
    for python in pythons:
        code = f"import numpy, {package}"
        try:
            done = subprocess.run([python, "-c", code], capture_output=True, check=False)
        except OSError:
            continue
        if done.returncode == 0:
            return python
    return None


def run_peer(python: str, name: str, task: str, seed: int, data: Path | None) -> dict[str, Any]:
    """Run one peer in a child process."""
    command = [python, "-m", "bandits.peer", name, task, str(seed)]
    done = subprocess.run(
        command + ([str(data.resolve())] if data else []),
        cwd=Path(__file__).resolve().parent,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["no message"])[-1]}
    return json.loads(done.stdout.strip().splitlines()[-1])


def play_all(
    task_name: str, seed: int, data: Path | None, peers: dict[str, str], threads: int
) -> dict[str, dict[str, Any]]:
    """All competitors on one task and seed."""
    task = TASKS[task_name](seed, data)
    m, d = task.truth.shape[1], task.X.shape[1]
    found = {_OURS: play(Ours(m, seed, threads), task)}
    found |= {name: play(Ridge(m, d, seed, how), task) for name, how in _BASELINES.items()}
    found |= {n: run_peer(python, n, task_name, seed, data) for n, python in peers.items()}
    return found


def summary(runs: list[dict[str, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Means per competitor over the seeds it played, and ours against it on the same seeds."""
    out: dict[str, dict[str, Any]] = {}
    for name in runs[0]:
        pairs = [(run[name], run[_OURS]) for run in runs if name in run]
        rows = [row for row, _ in pairs]
        failed = [row["failed"] for row in rows if "failed" in row]
        if failed:
            out[name] = {"failed": failed[0]}
            continue
        share = [row["uniform_share"] for row in rows]
        out[name] = {
            "seeds": len(rows),
            "value": float(np.mean([row["value"] for row in rows])),
            "regret": float(np.mean([row["regret"] for row in rows])),
            "regret_sd": float(np.std([row["regret"] for row in rows])),
            "rounds_per_s": float(np.median([row["rounds_per_s"] for row in rows])),
            "rounds_per_cpu_s": float(np.median([row["rounds_per_cpu_s"] for row in rows])),
            "uniform_share": None if None in share else float(np.mean(share)),
            "per_seed": [row["regret"] for row in rows],
            "ours_over_it": ratio([o["regret"] for _, o in pairs], [r["regret"] for r in rows]),
            "our_speed_over_it": float(
                np.median([o["rounds_per_s"] / r["rounds_per_s"] for r, o in pairs])
            ),
        }
    return out


def ratio(ours: list[float], theirs: list[float]) -> dict[str, float | None]:
    """Ratio of mean regrets; 95 % t-interval of the mean log ratio over seeds (None for one)."""
    found: dict[str, float | None] = {
        "ratio": float(np.mean(ours) / np.mean(theirs)), "low": None, "high": None
    }  # fmt: skip
    if len(ours) > 1:
        from scipy.stats import t

        logs = np.log(ours) - np.log(theirs)
        half = t.ppf(0.975, len(logs) - 1) * logs.std(ddof=1) / np.sqrt(len(logs))
        found["low"] = float(np.exp(logs.mean() - half))
        found["high"] = float(np.exp(logs.mean() + half))
    return found


def judged(results: dict[str, dict[str, dict[str, Any]]]) -> dict[str, Any]:
    """Ours against the best competitor of every task: the one over which our ratio is highest."""
    verdict: dict[str, Any] = {}
    for task, rows in results.items():
        others = {k: v["ours_over_it"] for k, v in rows.items() if k != _OURS and "regret" in v}
        best = max(others, key=lambda k: others[k]["ratio"])
        share = rows[_OURS]["uniform_share"]
        verdict[task] = {
            "best_other": best,
            "seeds": rows[best]["seeds"],
            **others[best],
            "ratio_met": others[best]["ratio"] <= _RATIO,
            "uniform_share": share,
            "share_met": share >= _SHARE,
        }
    ratios = [v["ratio"] for v in verdict.values()]
    verdict["worst_ratio"] = max(ratios)
    verdict["worst_met"] = max(ratios) <= _WORST
    if "linear" in results:
        speed = results["linear"][_OURS]["rounds_per_s"]
        verdict["rounds_per_s"], verdict["speed_met"] = speed, speed >= _SPEED
        verdict["rounds_per_cpu_s"] = results["linear"][_OURS]["rounds_per_cpu_s"]
    return verdict


def show(task: str, rows: dict[str, dict[str, Any]]) -> None:
    """Print one task's table."""
    print(
        f"\n{task}\n{'':28s} {'seeds':>5s} {'value':>8s} {'regret':>8s} {'(sd)':>8s} "
        f"{'rounds/s':>11s} {'per CPU s':>11s} share",
        flush=True,
    )
    known = {k: v for k, v in rows.items() if "regret" in v}
    for name in sorted(known, key=lambda k: known[k]["regret"]):
        row = known[name]
        share = "-" if row["uniform_share"] is None else f"{row['uniform_share']:.2%}"
        print(
            f"{name:28s} {row['seeds']:5d} {row['value']:8.4f} {row['regret']:8.5f} "
            f"{row['regret_sd']:8.5f} {row['rounds_per_s']:11,.0f} "
            f"{row['rounds_per_cpu_s']:11,.0f} {share}",
            flush=True,
        )
    for name in sorted(set(rows) - set(known)):
        print(f"{name:28s} FAILED: {rows[name]['failed']}")


def seeds_of(given: list[str], seeds: int) -> dict[str, int]:
    """Read NAME=N: how many seeds each peer plays."""
    out = dict.fromkeys(PEERS, seeds)
    for word in given:
        name, _, number = word.rpartition("=")
        if name not in PEERS or not number.isdigit() or int(number) < 1:
            raise SystemExit(f"--peer-seeds {word!r}: give NAME=N, NAME one of {list(PEERS)}")
        out[name] = min(int(number), seeds)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--data", type=Path, default=os.environ.get("CONTACTOPT_DATA"))
    parser.add_argument("--peers", nargs="*", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--peer-python", nargs="+", default=[], help="interpreters with peers")
    parser.add_argument("--peer-seeds", nargs="+", default=[], metavar="NAME=N")
    parser.add_argument("--threads", type=int, default=2, help="num_threads of our policy")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    data = Path(args.data) if args.data else None
    tasks, absent = list(args.tasks), []
    if "penbased" in tasks and not (data and (data / "multiclass").is_dir()):
        tasks.remove("penbased")
        absent.append("penbased: no folder multiclass under --data or CONTACTOPT_DATA")
    pythons = [sys.executable, *args.peer_python]
    places = {p: find_python(p, pythons) for p in {PEERS[n] for n in args.peers}}
    peers = {n: str(places[PEERS[n]]) for n in args.peers if places[PEERS[n]]}
    absent += [f"peer {n}: {PEERS[n]} not installed" for n in args.peers if n not in peers]
    allowed = seeds_of(args.peer_seeds, args.seeds)
    warm_up()
    results = {}
    for task in tasks:
        runs = []
        for k in range(args.seeds):
            now = {n: python for n, python in peers.items() if k < allowed[n]}
            runs.append(play_all(task, args.first_seed + k, data, now, args.threads))
        results[task] = summary(runs)
        show(task, results[task])
    verdict = judged(results) if results else {}
    print("\n" + json.dumps(verdict, indent=1))
    fewer = {n: k for n, k in allowed.items() if n in peers and k < args.seeds}
    for name, k in fewer.items():
        print(f"{name}: {k} of {args.seeds} seeds, because it is slow")
    for line in absent:
        print(f"NOT THERE: {line}")
    if args.out:
        record = {"seeds": args.seeds, "threads": args.threads, "fewer_seeds": fewer}
        record["results"] = results
        record |= {"verdict": verdict, "absent": absent}
        args.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
