"""Tables: a comparison as CSV, Markdown or LaTeX, for a spreadsheet, an issue or a paper.

CSV is long, one figure a line, so that any program can sort and pivot it; `against` is empty for the figure
of a system and names the other run for a paired difference:

    protocol,system,role,seeds,against,metric,value,low,high,std,p,test
    3b1f9ac07d52,shop,run,3,,recall@10,0.0612,0.0571,0.0655,0.0018,,
    3b1f9ac07d52,shop,run,3,shop-sid,recall@10,0.0041,-0.0012,0.0094,,0.13,"Student's t over …"

Markdown and LaTeX (booktabs) have a row a system and a column a metric, the best run in bold. Means over
seeds have their standard deviation behind them, and intervals stand in brackets.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence

from genrec_core.evaluation.compare import ComparedPair, ComparedRow, Comparison, ProtocolTable
from genrec_core.evaluation.report.facts import metric_columns, title

_CSV = (
    "protocol",
    "system",
    "role",
    "seeds",
    "against",
    "metric",
    "value",
    "low",
    "high",
    "std",
    "p",
    "test",
)
_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
}


def as_csv(found: Comparison) -> str:
    """Every figure and every paired difference, one a line."""
    written = io.StringIO()
    lines = csv.writer(written, lineterminator="\n")
    lines.writerow(_CSV)
    for table in found.tables:
        digest = table.protocol.get("hash", "")
        seeds = {row.label: row.seeds for row in table.rows}
        for row in table.rows:
            for metric, value in row.metrics.items():
                low, high = row.intervals.get(metric, ("", ""))
                deviation = row.deviations.get(metric, "")
                lines.writerow(
                    [digest, row.label, row.role, row.seeds, "", metric, value, low, high, deviation, "", ""]
                )
        for pair in table.pairs:
            for metric, one in pair.differences.items():
                figures = [one.difference, *one.interval, "", one.p, pair.test]
                lines.writerow([digest, pair.ours, "run", seeds[pair.ours], pair.theirs, metric, *figures])
    return written.getvalue()


def as_markdown(found: Comparison) -> str:
    """Two tables a protocol: systems, and paired differences."""
    parts = []
    for table in found.tables:
        metrics = metric_columns(table.metrics, coverage=False)
        parts.append(f"Test figures under protocol `{table.protocol.get('hash', 'unknown')}`.")
        rows = [[_cell(row.label), *_figures(table, row, metrics, "**{}**")] for row in table.rows]
        parts.append(_markdown(["", *map(title, metrics)], rows))
        if table.pairs:
            heads = ["", "metric", "ahead by", "95 % interval", "p", "test"]
            pairs = [[_cell(text) for text in line] for line in _pairs(table.pairs, metrics)]
            parts.append(_markdown(heads, pairs))
    return "\n\n".join(parts) + "\n"


def as_latex(found: Comparison) -> str:
    r"""Tables for a paper that loads `booktabs`, one a protocol with its paired differences below it."""
    parts = []
    for table in found.tables:
        metrics = metric_columns(table.metrics, coverage=False)
        digest = table.protocol.get("hash", "unknown")
        about = f"% protocol {digest}; bold: best run; brackets: 95 % intervals; ±: deviation over seeds"
        rows = [[_escaped(row.label), *_figures(table, row, metrics, r"\textbf{{{}}}")] for row in table.rows]
        rows = [[cell.replace("±", r"$\pm$") for cell in row] for row in rows]
        parts.append(f"{about}\n{_latex(['', *map(title, metrics)], rows, _rule(table))}")
        if table.pairs:
            tests = sorted({pair.test for pair in table.pairs})
            heads = ["", "metric", "ahead by", r"95 \% interval", "$p$"]
            pairs = [[_escaped(text) for text in line[:-1]] for line in _pairs(table.pairs, metrics)]
            comment = "".join(f"% paired: {test}\n" for test in tests)
            parts.append(comment + _latex(heads, pairs, 0))
    return "\n\n".join(parts) + "\n"


def _figures(table: ProtocolTable, row: ComparedRow, metrics: Sequence[str], bold: str) -> Iterator[str]:
    for metric in metrics:
        if metric not in row.metrics:
            yield "–"
            continue
        best = max(other.metrics.get(metric, 0.0) for other in table.rows if other.role == "run")
        text = f"{row.metrics[metric]:.4f}"
        text = bold.format(text) if row.role == "run" and row.metrics[metric] == best else text
        if metric in row.deviations:
            text += f" ± {row.deviations[metric]:.4f}"
        if metric in row.intervals:
            low, high = row.intervals[metric]
            text += f" [{low:.4f}, {high:.4f}]"
        yield text


def _pairs(pairs: Sequence[ComparedPair], metrics: Sequence[str]) -> list[list[str]]:
    return [
        [
            f"{pair.ours} against {pair.theirs}",
            title(metric),
            f"{one.difference:+.4f}",
            f"[{one.interval[0]:+.4f}, {one.interval[1]:+.4f}]",
            f"{one.p:.3f}" if one.p >= 0.001 else "< 0.001",
            pair.test,
        ]
        for pair in pairs
        for metric, one in pair.differences.items()
        if metric in metrics
    ]


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _latex(heads: Sequence[str], rows: Sequence[Sequence[str]], rule: int) -> str:
    """A tabular; `rule` is the number of rows above a line between runs and baselines."""
    lines = [" & ".join(row) + r" \\" for row in rows]
    if 0 < rule < len(lines):
        lines.insert(rule, r"\midrule")
    return "\n".join(
        [
            rf"\begin{{tabular}}{{l{'r' * (len(heads) - 1)}}}",
            r"\toprule",
            " & ".join(heads) + r" \\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )


def _rule(table: ProtocolTable) -> int:
    return sum(row.role == "run" for row in table.rows)


def _cell(text: str) -> str:
    return re.sub(r"([|*_`\\<])", r"\\\1", text)


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in text)
