"""Solve a saved allocation programme with OR-tools PDLP; run by bench_allocation.py.

    python benchmarks/pdlp_child.py PROBLEM.npz SECONDS_LIMIT THREADS

Prints one line of JSON: versions, seconds to build and to solve, objective, feasibility. Runs in a
process of its own, with whatever Python has `ortools` and `scipy`.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np


def main() -> int:
    """Build, solve, tell."""
    # a peer, in an environment of its own
    import ortools  # pyright: ignore[reportMissingImports]
    import scipy.sparse as sp
    from ortools.pdlp import solvers_pb2  # pyright: ignore[reportMissingImports]
    from ortools.pdlp.python import pdlp  # pyright: ignore[reportMissingImports]

    given = np.load(sys.argv[1])
    began = time.perf_counter()
    starts, value, usage, cell = (given[k] for k in ("starts", "value", "usage", "cell"))
    cover, limit = given["cover"], given["limit"]
    n, pairs = len(starts) - 1, len(value)
    who = np.repeat(np.arange(n), np.diff(starts))
    one = sp.csr_matrix((np.ones(pairs), (who, np.arange(pairs))), shape=(n, pairs))
    inside = np.column_stack([cover, np.zeros(len(cover), dtype=bool)])
    own = [np.flatnonzero(row[cell]) for row in inside]
    coupling = sp.csr_matrix(
        (
            np.concatenate([usage[k] for k in own]),
            (np.repeat(np.arange(len(own)), [len(k) for k in own]), np.concatenate(own)),
        ),
        shape=(len(own), pairs),
    )
    lp = pdlp.QuadraticProgram()
    lp.resize_and_initialize(pairs, n + len(own))
    lp.objective_vector = -value.astype(float)
    lp.variable_lower_bounds = np.zeros(pairs)
    lp.variable_upper_bounds = np.full(pairs, np.inf)
    lp.constraint_matrix = sp.vstack([one, coupling]).tocsc()
    lp.constraint_lower_bounds = np.full(n + len(own), -np.inf)
    lp.constraint_upper_bounds = np.concatenate([np.ones(n), limit])
    params = solvers_pb2.PrimalDualHybridGradientParams()
    criteria = params.termination_criteria
    criteria.simple_optimality_criteria.eps_optimal_relative = 1e-4
    criteria.simple_optimality_criteria.eps_optimal_absolute = 1e-4
    criteria.time_sec_limit = float(sys.argv[2])
    params.num_threads = int(sys.argv[3])
    built = time.perf_counter()
    found = pdlp.primal_dual_hybrid_gradient(lp, params)
    done = time.perf_counter()
    x = np.asarray(found.primal_solution)
    use = coupling @ x
    print(
        json.dumps(
            {
                "ortools": ortools.__version__,
                "build_seconds": built - began,
                "seconds": done - built,
                "cpu_seconds": time.process_time(),
                "value": float(value @ x),
                "worst_row": float((use / limit).max()),
                "iterations": int(found.solve_log.iteration_count),
                "reason": int(found.solve_log.termination_reason),
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
