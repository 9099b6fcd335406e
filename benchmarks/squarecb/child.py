"""VowpalWabbit in a process of its own; run by rival.py with the peer's Python.

    PYTHON -m squarecb.child SEED        (from the folder benchmarks)

Reads one line a command from standard input, each naming an .npz file: ``learn FILE`` and
``predict FILE ANSWER``; answers ``done`` and its CPU seconds so far. Needs NumPy and VowpalWabbit;
nothing of contactopt. Actions are described by channel and hour, crossed with all features.
"""

from __future__ import annotations

import sys
import time

import numpy as np


def shared_lines(X: np.ndarray) -> list[str]:
    """Return the line of each customer's features, (n, d); zeros say nothing and are left out."""
    out = []
    for row in X:
        at = np.flatnonzero(row)
        values = zip(at.tolist(), row[at].tolist(), strict=True)
        out.append("shared |S one:1 " + " ".join(f"{j}:{v:.4g}" for j, v in values))
    return out


def main() -> None:
    """Answer commands until standard input ends."""
    from vowpalwabbit import Workspace  # pyright: ignore[reportMissingImports]

    model = Workspace(
        "--cb_explore_adf --squarecb -q SA --cb_type mtr --cb_min_cost -1 --cb_max_cost 1 "
        f"--noconstant --bit_precision 20 --random_seed {int(sys.argv[1]) % 2**31} --quiet"
    )
    for line in sys.stdin:
        command, path, *answer = line.split()
        given = np.load(path)
        arms = [f"|A a{k} c{c} h{h}" for k, (c, h) in enumerate(given["arms"].tolist())]
        shared, eligible = shared_lines(given["X"]), given["eligible"]
        if command == "learn":
            rows = zip(given["action"], given["cost"], given["propensity"], strict=True)
            for i, (a, cost, p) in enumerate(rows):
                label = f"0:{cost:.6g}:{p:.6g} "
                mine = np.flatnonzero(eligible[i])
                model.learn([shared[i]] + [(label if b == a else "") + arms[b] for b in mine])
        else:
            told = np.zeros(eligible.shape)
            for i in range(len(told)):
                mine = np.flatnonzero(eligible[i])
                told[i, mine] = model.predict([shared[i]] + [arms[b] for b in mine])
            np.save(answer[0], told)
        print(f"done {time.process_time():.1f}", flush=True)


if __name__ == "__main__":
    main()
