"""All templates that may go: each one that would go if it were the only one of its channel."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from orchestrated_worlds import TEMPLATES, orchestrated_world, strategy

from contactopt.compliance import RuleBook, evaluate
from contactopt.journal.journal import Journal

INSTANTS = ("2026-06-02T12:00Z", "2026-03-08T12:00Z", "2026-06-06T14:00Z")


def _verdict(tables, as_of, config):
    view = Journal(tables).as_of(as_of)
    return evaluate(view, rules=RuleBook.load(config.rules, view.as_of), config=config)


@given(st.integers(0, 10**6))
@settings(max_examples=8, deadline=None, derandomize=True)
def test_a_set_holds_exactly_the_templates_that_could_go_alone(seed):
    as_of = INSTANTS[seed % len(INSTANTS)]
    config = strategy(seed).model_copy(update={"templates": ()})
    config = type(config).from_mapping({**config.to_mapping(), "templates": TEMPLATES})
    tables = orchestrated_world(seed, as_of)
    verdict = _verdict(tables, as_of, config)
    m = len(config.action_space)
    channels = [a.channel for a in config.action_space]
    found = np.zeros((len(verdict.allowed), m, len(TEMPLATES)), dtype=bool)
    if verdict.template_set is None:
        i, a = np.nonzero(verdict.template >= 0)
        found[i, a, verdict.template[i, a]] = True
    else:
        for i, a in zip(*np.nonzero(verdict.template_set >= 0), strict=True):
            own = verdict.template_sets[verdict.template_set[i, a]]
            found[i, a, list(own)] = True
            assert verdict.template[i, a] == own[0]
    for t, template in enumerate(TEMPLATES):
        others = [o for o in TEMPLATES if o["channel"] != template["channel"]]
        if not _named(config) <= {o["template_id"] for o in (*others, template)}:
            continue  # a protected state names another template of this channel
        alone = type(config).from_mapping({**config.to_mapping(), "templates": [*others, template]})
        here = _verdict(tables, as_of, alone)
        own = np.array([c == template["channel"] for c in channels])
        both = here.allowed[:, own]
        # the same debt must be named: worth may pick another where only another template fits
        same = here.debt[:, own] == verdict.debt[:, own]
        assert (found[:, own, t] == both)[same & verdict.allowed[:, own]].all()


def _named(config) -> set[str]:
    turns = config.orchestration.treatments
    return {name for _, state in turns for name in state.templates}
