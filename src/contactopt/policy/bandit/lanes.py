"""Four matrices side by side: the one compiled step on which their factors are built.

A group of lanes holds the same number of four matrices, so that one vector instruction works on
all of them. The rows of a small matrix alone are too short for that, and a compiler does not find
the lanes in plain loops; so the step is written out for it. The compiler turns it into whatever
vectors the machine has.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["LANES", "reduce"]

LANES = 4

_FUSED = ("contract",)


def _reduce(
    typing_context: Any, to: Any, at: Any, x: Any, i: Any, y: Any, j: Any, n: Any, f: Any, k: Any
) -> Any:
    """Set to[at] = (to[at] - sum_l x[i + l] y[j + l]) f[k], l below n, lane by lane.

    ``to``, ``x``, ``y`` and ``f`` are flat, contiguous float64 arrays; all other numbers count
    groups of `LANES`. Every lane is added up alone, in an order that depends on n only: idle lanes
    and the other matrices change nothing.
    """
    whole = types.int64

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        lanes = ir.VectorType(ir.DoubleType(), LANES)
        number = ir.IntType(64)
        one, width = ir.Constant(number, 1), ir.Constant(number, LANES)

        def place(array: int, group: Any) -> Any:
            made = context.make_array(signature.args[array])(context, builder, given[array])
            start = builder.gep(made.data, [builder.mul(group, width)])
            return builder.bitcast(start, lanes.as_pointer())

        def load(array: int, group: Any) -> Any:
            return builder.load(place(array, group), align=8)

        def less_product(total: Any, step: Any) -> None:
            a, b = (load(v, builder.add(given[v + 1], step)) for v in (2, 4))
            product = builder.fmul(a, b, flags=_FUSED)
            builder.store(builder.fsub(builder.load(total), product, flags=_FUSED), total)

        # two sums, so that one product need not wait for the other
        even = cgutils.alloca_once_value(builder, load(0, given[1]))
        odd = cgutils.alloca_once_value(builder, ir.Constant(lanes, [0.0] * LANES))
        pairs = builder.lshr(given[6], one)
        with cgutils.for_range(builder, pairs) as loop:
            step = builder.shl(loop.index, one)
            less_product(even, step)
            less_product(odd, builder.add(step, one))
        with builder.if_then(builder.trunc(given[6], ir.IntType(1))):
            less_product(even, builder.sub(given[6], one))
        total = builder.fadd(builder.load(even), builder.load(odd))
        total = builder.fmul(total, load(7, given[8]))
        builder.store(total, place(0, given[1]), align=8)
        return context.get_dummy_value()

    return types.void(to, whole, x, whole, y, whole, whole, f, whole), generate


reduce: Any = intrinsic(_reduce)
