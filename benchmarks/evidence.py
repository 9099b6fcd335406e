"""Write the README's evidence table from the benchmarks' output.

    python benchmarks/evidence.py [--check]

Reads `benchmarks/results/*.json`, which the benchmarks write with `--out`, and replaces what stands
between the evidence markers of README.md and README.es.md. With `--check` nothing is written: exit
code 1 if a README is not what the results say.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
START, END = "<!-- evidence:start -->", "<!-- evidence:end -->"
#: the words of the table in Spanish, longest first where one holds another
SPANISH = {
    "| what | figure | command |": "| qué | cifra | comando |",
    "Simulated, frozen preset": "Simulación con parámetros fijos",
    "Simulated, all latent parameters redrawn": (
        "Simulación con todos los parámetros ocultos sorteados de nuevo"
    ),
    "true value of the plan, share of the oracle's": (
        "valor verdadero del plan, como parte del valor del oráculo"
    ),
    "best rival (": "mejor rival (",
    "LP on static scores": "programa lineal con puntajes fijos",
    "ahead by": "ventaja de",
    " seeds |": " semillas |",
    ", on ": ", en ",
    "Real card accounts (UCI default of credit card clients, CC BY 4.0, ": (
        "Cuentas reales de tarjeta (UCI default of credit card clients, CC BY 4.0, "
    ),
    " rows), pays next month, ": " filas), paga el mes siguiente, ",
    "calibration error": "error de calibración",
    " to 0.": " a 0.",
    "Fit on ": "Ajuste con ",
    " touches; rank ": " gestiones; plan para ",
    " customers with ": " clientes con ",
    " customers x ": " clientes x ",
    " actions, 100 days of history": " acciones, 100 días de historia",
    "| fit ": "| ajuste ",
    " s; rank ": " s; plan ",
    " s, peak ": " s, máximo ",
    "2 cores, one run": "2 núcleos, una corrida",
}


def load(name: str) -> dict:
    """Read one benchmark's figures."""
    return json.loads((ROOT / "benchmarks" / "results" / name).read_text("utf-8"))


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
        f"| fit {seconds['fit']['wall_s']:.0f} s; rank {seconds['rank']['wall_s']:.0f} s, peak "
        f"{rank['peak_rss_gb']:.1f} GB ({report['machine']}, one run) "
        "| `python benchmarks/bench_end_to_end.py` |"
    )


def text() -> str:
    """Return the table in Markdown."""
    head = ["| what | figure | command |", "|---|---|---|"]
    return "\n".join([START, *head, *policy_rows(), credit_row(), speed_row(), END])


def spanish(table: str) -> str:
    """Return the table in Spanish: our words translated, thousands set apart by a blank."""
    for ours, theirs in SPANISH.items():
        table = table.replace(ours, theirs)
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
