"""The draw once more, with dictionaries and breadth-first search, bucket by bucket."""

from __future__ import annotations

import numpy as np

UNIT = 1 << 36
WORD = (1 << 64) - 1


def mix(z: int) -> int:
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & WORD
    return z ^ (z >> 31)


class Stream:
    def __init__(self, state: int) -> None:
        self.state = state

    def below(self, bound: int) -> int:
        bits = (1 << (bound - 1).bit_length()) - 1
        while True:
            self.state = (self.state + 0x9E3779B97F4A7C15) & WORD
            r = mix(self.state) & bits
            if r < bound:
                return r


class Flow:
    """Open edges (low, high) -> flow; always a forest."""

    def __init__(self, stream: Stream) -> None:
        self.edges: dict[tuple, int] = {}
        self.full: dict[tuple, bool] = {}
        self.stream = stream

    def path(self, start, end):
        """Return the edges from start to end with +1 where walked from low to high."""
        before = {start: None}
        queue = [start]
        while queue:
            node = queue.pop(0)
            for low, high in self.edges:
                for a, b, sign in ((low, high, 1), (high, low, -1)):
                    if a == node and b not in before:
                        before[b] = (a, (low, high), sign)
                        queue.append(b)
        if end not in before:
            return None
        steps = []
        while before[end] is not None:
            previous, edge, sign = before[end]
            steps.append((edge, sign))
            end = previous
        return steps

    def add(self, low, high, x: int) -> None:
        cycle = self.path(high, low)
        self.edges[low, high] = x
        if cycle is None:
            return
        cycle.append(((low, high), 1))
        ahead = min(UNIT - self.edges[e] if s > 0 else self.edges[e] for e, s in cycle)
        back = min(self.edges[e] if s > 0 else UNIT - self.edges[e] for e, s in cycle)
        amount = ahead if self.stream.below(ahead + back) < back else -back
        for e, s in cycle:
            self.edges[e] += s * amount
            if self.edges[e] in (0, UNIT):
                self.full[e] = self.edges.pop(e) == UNIT


def draw(probabilities, tree, seed: int) -> np.ndarray:  # noqa: C901 (one page, read once)
    n, m = tree.cell.shape
    n_buckets = len(tree.edges) - 1
    node = [[int(tree.cell[i, j]) for j in range(m)] + [tree.free] for i in range(n)]
    chosen: dict[int, int] = {}
    total = dict.fromkeys(range(len(tree.above)), 0)
    left = []

    def note(flow: Flow) -> None:
        chosen.update({low[1]: high for (low, high), full in flow.full.items()
                       if full and isinstance(low, tuple)})  # fmt: skip

    for b in range(n_buckets):
        flow = Flow(Stream(mix((seed ^ mix(b + 1)) & WORD)))
        slots: dict[int, int] = {}
        for i in tree.order[tree.edges[b] : tree.edges[b + 1]]:
            i = int(i)
            mass: dict[int, int] = {}
            for j in range(m + 1):
                x = int(probabilities[i, j])
                if x:
                    mass[node[i][j]] = mass.get(node[i][j], 0) + x
            open_now = {low[1] for low, _ in flow.edges}
            slots = {s: c for s, c in slots.items() if c in open_now}
            slot = next(s for s in range(n + 1) if s not in slots)
            slots[slot] = i
            for c, x in mass.items():
                total[c] = (total[c] + x) % UNIT
                if x == UNIT:
                    chosen[i] = c
                else:
                    flow.add(("customer", i), c, x)
        note(flow)
        for _, i in sorted(slots.items()):
            mine = sorted((high, x) for (low, high), x in flow.edges.items() if low[1] == i)
            left += [(i, high, x) for high, x in mine]
    flow = Flow(Stream(mix((seed ^ mix(n_buckets + 1)) & WORD)))
    for i, c, x in left:
        flow.add(("customer", i), c, x)
    for v in range(len(tree.above) - 1):
        if total[v]:
            flow.add(v, int(tree.above[v]), total[v])
        total[int(tree.above[v])] = (total[int(tree.above[v])] + total[v]) % UNIT
    assert not flow.edges, "every edge must have become whole"
    note(flow)
    return np.array([_arm(probabilities[i], node[i], chosen[i], tree.key[i], seed)
                     for i in range(n)])  # fmt: skip


def _arm(p, node, cell: int, key, seed: int) -> int:
    arms = [j for j in range(len(p)) if p[j] > 0 and node[j] == cell]
    if len(arms) == 1:
        return arms[0]
    r = Stream(mix((seed ^ int(key)) & WORD)).below(sum(int(p[j]) for j in arms))
    for j in arms:
        if r < p[j]:
            return j
        r -= int(p[j])
    raise AssertionError
