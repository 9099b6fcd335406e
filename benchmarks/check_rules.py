"""Does any decision break a rule? The slow oracle judges a million random decisions.

    python benchmarks/check_rules.py [--per-pack 20000] [--decisions 1000000] [--workers 2]

For every shipped pack, random histories (touches, holds, consents, notices, arrangements, parties,
promises, open plans) of customers in its jurisdictions; each contact that the engine allows is a
decision, and the oracle in `tests/oracles` (one pair at a time, every window tried) must allow it,
too. At least `--per-pack` decisions for every pack, then rounds over all packs until `--decisions`.
Profiles take turns, as do instants around clock changes, holidays and starts of laws. Prints
decisions, histories, violations and the rules that denied at least once by pack; exit code 1 if
there is a violation. With --seconds it stops early and says how far it came. Progress goes to
stderr. (Requirement 002-01.)
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "compliance")]

from lawful_worlds import random_world  # noqa: E402
from oracles.compliance_oracle import Oracle  # noqa: E402
from test_every_pack import CHANNELS, PACKS, grounds_of  # noqa: E402

from contactopt.compliance import RuleBook, evaluate  # noqa: E402
from contactopt.config import StrategyConfig  # noqa: E402
from contactopt.journal.journal import Journal  # noqa: E402

INSTANTS = (
    "2026-06-05T13:00Z", "2026-03-08T05:45Z", "2026-11-01T04:10Z", "2026-08-31T16:00Z",
    "2026-04-02T14:00Z", "2026-12-24T12:00Z", "2025-05-15T18:00Z", "2026-09-17T11:00Z",
    "2027-01-30T15:00Z", "2026-10-03T13:00Z", "2022-12-30T15:00Z", "2026-01-25T20:00Z",
)  # fmt: skip
PROFILES = ("law", "law", "strict", "policy")


def slots_of(seed: int) -> list[int]:
    """Hours of the day mostly, edges of the usual windows, and two of the night."""
    day = (7, 9, 11, 13, 15, 17, 19, 20) if seed % 2 else (6, 8, 10, 12, 14, 16, 18, 21)
    return sorted({*day, seed * 5 % 24, (seed * 7 + 3) % 24})


def round_of(pack: str, seed: int, n: int = 240) -> tuple[str, int, list[str], set[str]]:
    """Judge one random history; return decisions, what the oracle forbids, and who denied."""
    as_of = INSTANTS[seed % len(INSTANTS)]
    tables = random_world(seed, as_of, n, few=True, grounds=grounds_of(pack))
    config = StrategyConfig.from_mapping(
        {
            "channels": CHANNELS,
            "slots": slots_of(seed),
            "profile": PROFILES[seed // len(INSTANTS) % len(PROFILES)],
        }
    )
    view = Journal(tables).as_of(as_of)
    book = RuleBook.load(config.rules, view.as_of)
    verdict = evaluate(view, rules=book, config=config)
    allowed = verdict.allowed
    oracle, actions = Oracle(view, book, config, config.action_space), list(config.action_space)
    wrong = []
    for c, a in zip(*allowed.nonzero(), strict=True):
        truth = oracle.answer(int(c), actions[a])
        if not truth.allowed:
            who = view.customer_ids[c]
            wrong.append(f"{pack} seed {seed} {who} {actions[a].action_id}: {truth.reasons}")
    return pack, int(allowed.sum()), wrong, set(verdict.counts())


def main() -> int:
    """Run the rounds and print the table."""
    read = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    read.add_argument("--per-pack", type=int, default=20_000)
    read.add_argument("--decisions", type=int, default=1_000_000)
    read.add_argument("--seconds", type=float, default=float("inf"))
    read.add_argument("--seed", type=int, default=0)
    read.add_argument("--workers", type=int, default=2)
    read.add_argument("--out", type=Path)
    said = read.parse_args()
    began = time.monotonic()
    done, histories = dict.fromkeys(PACKS, 0), dict.fromkeys(PACKS, 0)
    denying: set[str] = set()
    wrong: list[str] = []
    seed = said.seed
    # a fresh process now and then: memory stays small, nothing is carried from round to round
    with ProcessPoolExecutor(
        said.workers, mp_context=get_context("spawn"), max_tasks_per_child=100
    ) as pool:
        while time.monotonic() - began < said.seconds:
            short = [p for p in PACKS if done[p] < said.per_pack]
            if not short and sum(done.values()) >= said.decisions:
                break
            for pack, n, found, rules in pool.map(round_of, short or PACKS, _many(seed)):
                done[pack] += n
                histories[pack] += 1
                wrong += found
                denying |= rules
            seed += 1
            spent = time.monotonic() - began
            print(
                f"seed {seed}: {sum(done.values())} decisions, {len(wrong)} violations, "
                f"{spent:.0f} s", file=sys.stderr, flush=True,
            )  # fmt: skip
    for pack in PACKS:
        print(f"{pack}: {done[pack]:>9} decisions in {histories[pack]:>5} histories")
    silent = sorted(_testable() - denying)
    total, seconds = sum(done.values()), time.monotonic() - began
    print(f"rules that never denied: {', '.join(silent) or 'none'}")
    print(f"{total} decisions, {len(wrong)} violations, {seconds:.0f} s")
    print("\n".join(wrong[:20]))
    if said.out:
        result = {
            "decisions": total, "violations": len(wrong), "by_pack": done, "histories": histories,
            "rules_that_denied": len(denying), "testable_rules_that_never_denied": silent,
            "seconds": round(seconds), "seeds": [said.seed, seed],
        }  # fmt: skip
        said.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    return 1 if wrong else 0


def _many(seed: int) -> list[int]:
    return [seed] * len(PACKS)


def _testable() -> set[str]:
    """Rules of all times and profiles that a machine tests and that may bind."""
    config = StrategyConfig.from_mapping({"channels": CHANNELS, "profile": "policy"})
    book = RuleBook.load(config.rules)
    untested = {i for i, why in book.unchecked if not why.startswith("tested but for")}
    return {r.id for r in book.rules if r.pack in PACKS} - untested


if __name__ == "__main__":
    sys.exit(main())
