"""Write the README's evidence table from the benchmarks' output.

    python benchmarks/evidence.py [--check]

Reads `benchmarks/results/*.json`, which the benchmarks write with `--out`, and replaces what stands
between the evidence markers of README.md and README.es.md. With `--check` nothing is written: exit
code 1 if a README is not what the results say.
"""

from __future__ import annotations

import argparse
import re
import sys

from evidence_months import month_row, no_effect_row, wait_row
from evidence_results import ROOT, load
from evidence_words import SPANISH

START, END = "<!-- evidence:start -->", "<!-- evidence:end -->"


def policy_rows() -> list[str]:
    """Tell what the plans are truly worth in the simulated world."""
    rows = []
    for title, report in load("compare_policies.json").items():
        table = report["table"]
        rivals = {k: v for k, v in table.items() if k not in ("oracle", "contactopt")}
        rivals.pop("ours, tau = 0")
        name, best = max(rivals.items(), key=lambda item: item[1]["share of oracle"])
        ours = table["contactopt"]["share of oracle"]
        rows.append(
            f"| Simulated, {title}: true value of the plan, share of the oracle's "
            f"| {ours:.0%}; best rival ({name}) {best['share of oracle']:.0%}; ahead by "
            f"{best['contactopt ahead by']:.0%} ± {best['+-']:.0%} (95 %), on "
            f"{best['seeds ahead']} of {len(report['per_seed'])} seeds "
            "| `python benchmarks/compare_policies.py` |"
        )
    return rows


def credit_row() -> str:
    """Tell how the payment model does on real accounts."""
    report = load("real_credit.json")
    parts = [
        f"{name} {e['value']:.3f} ({e['low 95 %']:.3f} to {e['high 95 %']:.3f})"
        for name, e in report["scores"].items()
    ]
    return (
        f"| Real card accounts (UCI default of credit card clients, CC BY 4.0, "
        f"{report['rows']:,} rows), pays next month, {report['n_folds']}-fold "
        f"| {'; '.join(parts)} | `python benchmarks/real_credit.py DIR` |"
    )


def speed_row() -> str:
    """Tell how long the two long verbs take, and the memory that ranking needs."""
    report = load("end_to_end.json")
    fit, rank = report["steps"]["fit"], report["steps"]["rank"]
    seconds = {**fit["stages"], **rank["stages"]}
    return (
        f"| Fit on {fit['customers']:,} customers with {fit['touches']:,} touches; rank "
        f"{rank['customers']:,} customers x {rank['actions']} actions, 100 days of history "
        f"| fit {seconds['fit']['wall_s']:.0f} s, peak {fit['peak_rss_gb']:.1f} GB; rank "
        f"{seconds['rank']['wall_s']:.0f} s, peak {rank['peak_rss_gb']:.1f} GB "
        f"({report['machine']}, one run) | `python benchmarks/bench_end_to_end.py "
        f"--fit-customers {fit['customers']}` |"
    )


def hour_rows() -> list[str]:
    """Tell what choosing the hour, or channel and hour, brings in the simulated world."""
    report = load("scheduling.json")
    lifts, worlds = report["lifts"], report["settings"]["seeds"]
    told = {
        "same customers, channels and volume, only the hour chosen": ("scheduling", "oracle, hour"),
        "channel and hour chosen": ("joint", "oracle, joint"),
    }
    rows = []
    for what, (ours, oracle) in told.items():
        mean, low, high = lifts[ours]["payments"]
        possible = lifts[oracle]["payments"][0]
        rows.append(
            f"| Simulated, {what}: payments over the incumbent "
            f"| {mean:+.1%} ({low:.1%} to {high:.1%}); the oracle {possible:+.1%} "
            f"(95 %, {worlds} worlds) "
            "| `python benchmarks/scheduling.py --customers 2000` |"
        )
    return rows


def replay_row() -> str:
    """Tell whether features of a batch are those of histories cut at each event."""
    replay = load("features.json")["steps"]["replay"]
    return (
        f"| Features at every event of real phone logs (CNS, {replay['people']} people): batch "
        f"against replay | {replay['moments']:,} moments x {replay['columns']} columns: "
        f"{replay['cells_different']} cells differ "
        "| `python benchmarks/bench_features.py --data DIR` |"
    )


def year_row() -> str:
    """Tell what must never happen in a simulated year, and what orchestration costs and brings."""
    report = load("orchestration_year.json")
    ours, law = report["orchestrated"], report["law alone"]
    never = (
        "in promise silence",
        "second attempt on one day",
        "to a dead point",
        "by another channel",
    )
    money = report["money per customer, orchestrated less law alone"]
    counts = ", ".join(str(ours[k]) for k in never)
    per_debt = [arm["contacts per resolved debt"] for arm in (ours, law)]
    return (
        f"| Simulated year, {report['customers']} customers, with orchestration: contacts in "
        "promise silence, second on one day, to a dead point, by another channel "
        f"| {counts} of {ours['contacts']:,}; contacts per resolved debt {per_debt[0]}, "
        f"{per_debt[1]} without it; money per customer {money['mean']:+.2f} "
        f"({money['low']:.2f} to {money['high']:.2f}) "
        "| `python benchmarks/orchestration_year.py` |"
    )


#: task of bench_models -> what it is about, and the figure told
MODEL_TASKS = {
    "credit_late": ("card accounts already late, pays next month", "log-loss"),
    "bank": ("bank calls in later months, without the call's length", "AUC"),
    "kz_past_due": ("borrowers ever past due", "log-loss"),
    "kz_take_up": ("takes up a mailed offer", "AUC"),
    "social_pressure": ("turnout mailing, uplift", "qini_x1000"),
}


def model_rows() -> list[str]:
    """Tell what the models do on real data, beside two peers in the same run."""
    found = load("models.json")["rows"]
    rows = []
    for task, (what, metric) in MODEL_TASKS.items():
        own = [r for r in found if r["task"] == task and r["metric"] == metric]
        told = []
        for model in NAMES:
            values = [r["value"] for r in own if r["model"] == model]
            if values:
                told.append(f"{NAMES[model]} {sum(values) / len(values):.3f}")
        n = max(r["n"] for r in own)
        seeds = len({r["seed"] for r in own})
        rows.append(
            f"| Real data, {what} ({n:,} rows, {seeds} seeds), {METRICS[metric]} "
            f"| {', '.join(told)} | `python benchmarks/bench_models.py DIR --seeds 3` |"
        )
    return rows


NAMES = {
    "contactopt": "ours",
    "lightgbm": "LightGBM",
    "logistic": "logistic regression",
    "lightgbm T": "LightGBM T-learner",
    "logistic T": "logistic T-learner",
}
METRICS = {"log-loss": "log-loss", "AUC": "AUC", "qini_x1000": "Qini x 1,000"}


def lawful_row() -> str:
    """Tell whether random decisions of the engine were ever against a rule."""
    report = load("check_rules.json")
    return (
        f"| Random decisions over all {len(report['by_pack'])} rule packs, each judged by the slow "
        f"readable evaluator | {report['violations']} violations in {report['decisions']:,} "
        "| `python benchmarks/check_rules.py` |"
    )


def mask_row() -> str:
    """Tell how long the mask of a large portfolio takes."""
    report = load("rules.json")
    return (
        f"| Mask with reasons: {report['customers']:,} customers with {report['touches']:,} "
        f"touches, {report['actions']} actions, five jurisdictions "
        f"| {report['mask_seconds']:.0f} s, peak {report['peak_gb']:.1f} GB "
        f"({report['workers']} workers) | `python benchmarks/bench_rules.py` |"
    )


def draw_row() -> str:
    """Tell whether every decision is drawn with the probability that is logged."""
    report = load("check_draw.json")
    return (
        f"| Draw, {report['seeds']:,} seeds: per-customer chi-square, mean z², counting rows off "
        f"| KS p = {report['ks_p']:.2f}; {report['mean_z2']:.3f}; {report['counting_rows_off']} "
        "| `python benchmarks/check_draw.py` |"
    )


def allocation_row() -> str:
    """Tell how long prices and draw of a large batch take, and how far from the best they are."""
    reports = load("allocation.json")
    report, peer = reports["a_million"], reports["a_hundred_thousand"]
    plain, draw, asked = report["plain"], report["draw"], report["settings"]
    return (
        f"| Prices and draw: {asked['customers']:,} customers x {asked['slots']} actions, "
        f"{report['rows']} capacity rows | {plain['seconds']:.1f} s to a certified gap of "
        f"{plain['gap']:.0e}; draw {draw['seconds']:.1f} s, {draw['rows_exceeded']} rows exceeded "
        f"({asked['threads']} threads); {peer['pdlp']['ratio']:,.0f} times as fast as OR-tools "
        f"PDLP (1e-4, {peer['settings']['customers']:,} x {peer['settings']['slots']}) | "
        f"`python benchmarks/bench_allocation.py` |"
    )


def bandit_rows() -> list[str]:
    """Tell how the public bandit stands against the others on their own ground."""
    report = load("bandits.json")
    ours, command = "contactopt BanditPolicy", "| `python benchmarks/bench_bandits.py` |"
    rows = []
    for task, table in report["results"].items():
        verdict = report["verdict"][task]
        rows.append(
            f"| Contextual bandit, task {task}: true regret over that of the best other "
            f"({verdict['best_other']}) | {verdict['ratio']:.2f} ({verdict['low']:.2f} to "
            f"{verdict['high']:.2f}, 95 % over {verdict['seeds']} seeds); uniform policy's "
            f"effective sample {table[ours]['uniform_share']:.1%} {command}"
        )
    speed = report["results"]["linear"]
    rivals = [
        f"{name} {row['our_speed_over_it']:,.1f} ({row['seeds']})"
        for name, row in speed.items()
        if name != ours and "our_speed_over_it" in row
    ]
    rows.append(
        f"| Contextual bandit, task linear: rounds per second | {speed[ours]['rounds_per_s']:,.0f} "
        f"by the clock, {speed[ours]['rounds_per_cpu_s']:,.0f} by processor time "
        f"({report['threads']} threads); our rounds per second over theirs in one run (seeds): "
        f"{'; '.join(rivals)} {command}"
    )
    return rows


def preset_rows() -> list[str]:
    """Tell whether probabilities and money are right where the truth is known, seed by seed."""
    report = load("models_in_simulation.json")
    command = "| `python benchmarks/models_in_simulation.py` |"
    size = f"{int(report['settings']['customers']):,} customers"

    def told(check: str, digits: int) -> str:
        found: dict[str, list[str]] = {}
        for row in report["rows"]:
            if row["check"].startswith(check):
                found.setdefault(row["preset"], []).append(f"{row['value']:.{digits}f}")
        return "; ".join(f"{preset} {', '.join(values)}" for preset, values in found.items())

    return [
        f"| Simulated, {size}: calibration error of P(pays in 30 days), by preset, each seed "
        f"| {told('payment', 3)} {command}",
        f"| Simulated, {size}: money expected over the mean of twelve true windows, by preset, "
        f"each seed | {told('recovery', 2)} {command}",
    ]


def choice_row() -> str:
    """Tell how often a difference between customers is found where there is one, and not else."""
    report = load("effect_choice.json")
    words = {"beats both": "beats constant and response", "constant": "constant chosen"}
    found = [
        f"{row['cell']}: {words[row['asked']]} {row['share']:.0%} "
        f"({row['low']:.0%} to {row['high']:.0%})"
        for row in report["table"]
    ]
    return (
        f"| Simulated, differences of the effect planted or none, {report['rows']:,} decisions: "
        f"share of {report['seeds']} seeds (95 %) | {'; '.join(found)} "
        "| `python benchmarks/effect_choice.py --seeds 100` |"
    )


def loop_row() -> str:
    """Tell whether the loop through files is the loop in memory."""
    report = load("learning_loop.json")
    return (
        f"| Rank, tables grown by a day with late rows and reversals, update: {report['days']} "
        f"times, {report['customers']} customers, {report['decisions']:,} decisions "
        f"| every command in a fresh process, one process, and one replay from the tables: "
        f"{'the same bundle bit for bit' if report['equal'] else 'different bundles'} "
        "| `python benchmarks/learning_loop.py` |"
    )


def text() -> str:
    """Return the table in Markdown."""
    head = ["| what | figure | command |", "|---|---|---|"]
    rows = [
        *policy_rows(), month_row(), no_effect_row(), wait_row(), loop_row(), *hour_rows(),
        credit_row(), *model_rows(), *preset_rows(), choice_row(), replay_row(), lawful_row(),
        draw_row(), year_row(), *bandit_rows(), allocation_row(), mask_row(), speed_row(),
    ]  # fmt: skip
    return "\n".join([START, *head, *rows, END])


def spanish(table: str) -> str:
    """Return the table in Spanish: our words translated, thousands set apart by a blank."""
    for ours, theirs in SPANISH.items():
        table = table.replace(ours, theirs)
    table = re.sub(r"(?<=\d) to (?=-?\d)", " a ", table)
    table = re.sub(r"(\d+) of (\d+)", r"\1 de \2", table)
    table = re.sub(r"(\d+)-fold", r"validación cruzada de \1 partes", table)
    return re.sub(r"(?<=\d),(?=\d{3}\b)", "\u00a0", table)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    for name, table in (("README.md", text()), ("README.es.md", spanish(text()))):
        readme = ROOT / name
        old = readme.read_text("utf-8")
        before, rest = old.split(START)
        new = before + table + rest.split(END)[1]
        if not arguments.check:
            readme.write_text(new, "utf-8")
        elif new != old:
            sys.exit(f"{name} is not what benchmarks/results say")


if __name__ == "__main__":
    main()
