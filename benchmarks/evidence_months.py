"""Rows of the evidence table on the simulated months, in which every policy lives in one world."""

from __future__ import annotations

from evidence_results import load


def month_row() -> str:
    """Tell what a month under each policy truly brought in the simulated world."""
    report = load("thirty_days.json")
    table = {row["policy"]: row for row in report["table"]}
    ours = table.pop("contactopt")
    own = [run for run in report["runs"] if run["policy"] == "contactopt"]
    spent, planned = (
        sum(run[f"exploration_{basis}"] for run in own) / len(own) for basis in ("true", "planned")
    )
    rivals = [
        f"{name} {row['net money']:.1f} ({row['ours less it']:+.1f} ± {row['+-']:.1f}, "
        f"{row['worlds']})"
        for name, row in table.items()
    ]
    return (
        f"| Simulated month, {report['customers']:,} customers: net money per customer, all "
        f"payments counted | ours {ours['net money']:.1f}, exploration and control gave up "
        f"{spent:.1f} of one-step value, {planned:.1f} planned; the others (ours less it, 95 %, "
        f"worlds): {'; '.join(rivals)} "
        "| `python benchmarks/thirty_days.py` |"
    )


def no_effect_row() -> str:
    """Tell what a month is like where every contact is in vain."""
    report = load("thirty_days_no_effect.json")
    own = [run for run in report["runs"] if run["policy"] == "contactopt"]
    first, last = (
        sum(run["contacts_by_five_days"][at] for run in own) / len(own) for at in (0, -1)
    )
    table = {row["policy"]: row for row in report["table"]}
    ours, sparing = table["contactopt"], table["most engaged"]
    return (
        f"| Simulated month in which contacts change nothing, {report['customers']:,} customers, "
        f"{len(own)} worlds | contacts per customer and day {first:.2f} in the first five days, "
        f"{last:.2f} in the last; net money {ours['net money']:.1f}, most engaged "
        f"{sparing['net money']:.1f} (ours less it {sparing['ours less it']:+.1f} ± "
        f"{sparing['+-']:.1f}) "
        f"| `python benchmarks/thirty_days.py --no-effect --seeds {len(own)}` |"
    )


def wait_row() -> str:
    """Tell what a larger control group lets the plan find out, with and without effect."""
    reports = [load(f"thirty_days_large{world}.json") for world in ("", "_no_effect")]
    told = []
    for report in reports:
        own = [run for run in report["runs"] if run["policy"] == "contactopt"]
        first, last = (
            sum(run["contacts_by_five_days"][at] for run in own) / len(own) for at in (0, -1)
        )
        found = [run["control"] for run in own]
        promised, realised = (
            sum(control[name] for control in found) / len(found)
            for name in ("promised", "realised")
        )
        half = 1.96 * sum(control["error"] ** 2 for control in found) ** 0.5 / len(found)
        told.append(
            f"{first:.2f} contacts per customer and day at first, {last:.2f} in the last five "
            f"days, lift promised {promised:.1%} of a payer's money, found {realised:.1%} ± "
            f"{half:.1%}"
        )
    report = reports[0]
    share, n = report["control_share"], len({run["seed"] for run in report["runs"]})
    return (
        f"| Simulated month, {report['customers']:,} customers, {share:.0%} of them control, {n} "
        f"worlds each | where contacts help {told[0]}; where they change nothing {told[1]} "
        f"| `python benchmarks/thirty_days.py --customers {report['customers']} --control-share "
        f"{share:g} --seeds {n} --only contactopt [--no-effect]` |"
    )
