"""The report: complete, self-contained, escaped, and rendered by a real browser."""

from __future__ import annotations

import re
import runpy
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from zipfile import ZipFile

import pytest
from browser import rendered
from jinja2 import UndefinedError
from markupsafe import escape
from report_facts import report_facts

from genrec_core import Identifiers, Items
from genrec_core.evaluation.report.facts import ReportFacts, chosen_rows
from genrec_core.evaluation.report.figures import CurvePlot, Scale, duration, p_value
from genrec_core.evaluation.report.page import write_report
from genrec_core.evaluation.report.rendering import macro, section, templated
from genrec_core.evaluation.report.sections import measured
from genrec_core.identifiers.diagnosis.diagnosis import Depth, IdentifierInputs, examine
from genrec_core.identifiers.diagnosis.suggestions import Suggestion, suggestions
from tests.testing.installing import ROOT, build_wheel

SECTIONS = [
    "accuracy", "collisions", "slices", "examples", "identifiers", "doctor", "training", "cost", "protocol",
    "glossary", "pipeline",
]  # fmt: skip


@pytest.fixture(scope="module")
def facts() -> ReportFacts:
    return report_facts()


@pytest.fixture
def page(facts, tmp_path) -> str:
    write_report(tmp_path / "report.html", facts)
    return (tmp_path / "report.html").read_text()


class Outline(HTMLParser):
    """Ids of sections, balance of tags, and every address the page names."""

    def __init__(self) -> None:
        super().__init__()
        self.sections: list[str] = []
        self.addresses: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag == "section":
            self.sections.append(values["id"])
        self.addresses += [values[name] for name in ("href", "src") if name in values]
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def outline(page: str) -> Outline:
    parsed = Outline()
    parsed.feed(page)
    return parsed


def test_every_section_is_there_in_order_and_tags_are_balanced(page):
    found = outline(page)
    assert found.sections == SECTIONS
    assert found.open == []


def test_the_page_asks_for_nothing(page):
    assert all(address.startswith(("#", "data:")) for address in outline(page).addresses)
    assert "default-src 'none'" in page
    assert not re.search(r"<script|@import|url\(|https?://", page)


def test_the_metrics_stand_in_the_table_with_their_intervals(page, facts):
    table = page[page.index('id="metrics"') :].split("</table>")[0]
    low, high = facts.metrics["intervals"]["test"]["recall@10"]
    assert f"{facts.metrics['test']['recall@10']:.4f}" in table
    assert f"{low:.4f} – {high:.4f}" in table
    assert all(name in table for name in ("popular", "item-knn", "oracle"))


def test_the_protocol_hash_and_the_denominators_are_printed(page, facts):
    assert page.count("3b1f9ac07d52") >= 2
    assert "900 test examples" in page
    counted = facts.metrics["counts"]["test"]
    assert f"{counted['direct@10']:,} of {counted['candidates@10']:,}" in page
    assert f"{counted['direct@10']:,} of {counted['grounded@10']:,}" in page


def test_the_inflated_figure_stands_beside_the_honest_one(page, facts):
    assert f"{facts.metrics['test']['recall@10_inflated']:.4f}" in page


def test_titles_are_escaped(page):
    assert "&lt;b&gt;&amp;" in page
    assert "<b>&" not in page


def test_a_run_without_model_training_or_identifiers_still_has_a_report(tmp_path, facts):
    metrics = {**facts.metrics, "test": {}, "comparisons": {}, "identifiers": {}, "slices": {}, "cost": {}}
    bare = ReportFacts(name="baselines", run_id="1", metrics=metrics)
    write_report(tmp_path / "report.html", bare)
    assert outline((tmp_path / "report.html").read_text()).sections == ["accuracy", "protocol", "glossary"]


def test_the_same_facts_give_the_same_page(tmp_path, facts, page):
    write_report(tmp_path / "again.html", replace(facts))
    assert (tmp_path / "again.html").read_text() == page


def test_a_browser_renders_the_report_without_a_word_of_complaint(tmp_path, facts):
    write_report(tmp_path / "report.html", facts)
    dom, console = rendered(tmp_path / "report.html", tmp_path / "profile")
    assert console == []
    assert f"{facts.metrics['test']['recall@10']:.4f}" in dom
    assert outline(dom.split("</html>")[0]).sections == SECTIONS


def test_examples_are_drawn_at_random_and_their_hits_are_counted(page, facts):
    rows = chosen_rows(900, 6)
    assert rows == chosen_rows(900, 6) == sorted(rows)
    assert len(set(rows)) == 6
    assert max(rows) > 100  # not the first of the view
    assert chosen_rows(2, 6) == [0, 1]
    found = sum(example.rank > 0 for example in facts.examples)
    lead = f"6 of 900 test examples, drawn at random by seed 0: {found} found, {6 - found} not found."
    assert lead in page


def test_what_a_stage_used_is_said_in_words():
    used = {"seconds": 3.0, "cpu_seconds": 2.5, "peak_mb": 812.4, "peak_since": "stage", "reused": False}
    assert measured(used | {"tokens": 42_000}) == "processor 2.5 s, peak memory 812 MB, 42,000 tokens"
    assert measured(used | {"peak_since": "process"}) == (
        "processor 2.5 s, peak memory of the whole process so far 812 MB"
    )
    assert measured({"answer_tokens": 12}) == "12 answer tokens"
    assert measured({"tokens": 12, "finish_tokens": 12}) == "12 tokens"
    thought = {"tokens": 58, "think_tokens": 50, "finish_tokens": 8}
    assert measured(thought) == "58 tokens, 50 in thoughts, 8 in answers"


def test_digests_of_the_protocol_are_shortened(facts, tmp_path):
    digest = "0123456789abcdef" * 4
    metrics = {**facts.metrics, "protocol": {**facts.metrics["protocol"], "targets": digest}}
    write_report(tmp_path / "report.html", replace(facts, metrics=metrics))
    page = (tmp_path / "report.html").read_text()
    assert "<dd>0123456789ab…</dd>" in page
    assert digest not in page


def test_advice_on_prefixes_is_for_training_with_rewards_alone(facts, tmp_path, monkeypatch):
    advice = Suggestion("thin-prefixes", "few leaves", "give away fewer tokens")
    monkeypatch.setattr("genrec_core.evaluation.report.sections.suggestions", lambda found: [advice])
    for rewarded in (False, True):
        write_report(tmp_path / "report.html", replace(facts, rewarded=rewarded))
        assert ("give away fewer tokens" in (tmp_path / "report.html").read_text()) is rewarded


def test_the_glossary_holds_the_terms_that_occur(page, facts, tmp_path):
    assert all(f"<dt>{term}</dt>" in page for term in ("DHR@k", "Perplexity", "Oracle", "Cold, seen"))
    bare = ReportFacts(name="baselines", run_id="1", metrics={**facts.metrics, "test": {}, "identifiers": {}})
    write_report(tmp_path / "bare.html", bare)
    written = (tmp_path / "bare.html").read_text()
    assert "<dt>DHR@k</dt>" not in written
    assert "<dt>Recall@k</dt>" in written


def test_validation_and_a_later_test_period_stand_beside_each_other(facts, tmp_path):
    day = 86_400.0
    moved = {
        "valid_period": [0.0, day],
        "test_period": [2 * day, 2 * day],
        "distance": 0.25,
        "by_chance": 0.125,
    }
    valid = {name: value + 0.1 for name, value in facts.metrics["test"].items()}
    metrics = {**facts.metrics, "valid": valid, "drift": moved}
    write_report(tmp_path / "report.html", replace(facts, metrics=metrics))
    page = (tmp_path / "report.html").read_text()
    part = page[page.index('<section id="drift"') :].split("</section>")[0]
    assert "Recall@10, test −0.1000" in part
    assert "<dd>1970-01-01 to 1970-01-02</dd>" in part
    assert "<dd>1970-01-03</dd>" in part
    assert "<dd>25.0 %</dd>" in part
    assert "<dd>12.5 %</dd>" in part


def test_text_of_a_section_is_escaped_and_templates_escape_their_values():
    assert section("a", "A", "", "<i>", templated("<b>{{ word }}</b>", word="<u>")).content == (
        "&lt;i&gt;<b>&lt;u&gt;</b>"
    )


def test_a_template_of_a_plugin_uses_the_reports_macros_and_number_formats():
    source = (
        """{% from "macros.html.jinja" import facts %}{{ facts([("Found", 1234|number), ("R", x|share)]) }}"""
    )
    written = templated(source, x=0.25)
    assert "<dt>Found</dt><dd>1,234</dd>" in written
    assert "<dd>0.2500</dd>" in written


def test_a_template_that_names_what_it_was_not_given_is_an_error():
    with pytest.raises(UndefinedError, match="'missing' is undefined"):
        templated("{{ missing }}")


def test_curves_thin_long_runs_keep_their_last_point_and_say_when_nothing_is_finite():
    long = CurvePlot.of([(float(step), 1.0 / (step + 1)) for step in range(10_000)])
    assert long is not None
    assert 200 < long.points.count(",") < 500
    assert long.last == "0.0001"
    assert CurvePlot.of([(0.0, float("nan"))]) is None
    nothing = macro("macros.html.jinja", "curve", title="loss", chart=None)
    assert "no finite values" in nothing


@pytest.mark.parametrize("ends", [(0, 1), (0, 0.0234), (3, 3), (-2, 14_000)])
def test_a_scale_has_round_ticks_inside_its_ends(ends):
    scale = Scale.of(*ends)
    assert 2 <= len(scale.ticks) <= 7
    assert all(0 <= scale.place(tick) <= 1 for tick in scale.ticks)


def test_durations_and_p_values_are_read_easily():
    assert [duration(s) for s in (0.24, 42, 192.4, 7260)] == ["0.2 s", "42 s", "3 min 12 s", "2 h 01 min"]
    assert [p_value(p, 999) for p in (0.002, 0.25)] == ["p < 0.002", "p = 0.250"]


def test_the_doctor_says_what_it_found_and_what_to_change(page, facts):
    found = facts.diagnosis
    part = page[page.index('<section id="doctor"') :].split("</section>")[0]
    assert f"{found.neighbours.recall:.4f}" in part
    assert f"{found.prefixes[0].mean:.2f}" in part
    assert all(escape(one.advice) in part for one in suggestions(found))
    assert suggestions(found)


def test_the_doctors_section_escapes_what_comes_from_data(page, facts):
    assert escape(facts.diagnosis.buckets[0].identifier) in page
    assert facts.diagnosis.buckets[0].identifier not in page


def test_the_doctor_says_what_was_not_examined(tmp_path, facts):
    quick = examine(IdentifierInputs(Identifiers.of([("a",)]), Items(("x",), {})), Depth(full=False))
    write_report(tmp_path / "report.html", replace(facts, diagnosis=quick))
    assert "not examined: neighbours" in (tmp_path / "report.html").read_text()


def test_the_wheel_of_the_core_holds_every_template(tmp_path):
    source = tmp_path / "source"
    shutil.copytree(
        ROOT / "genrec_core", source / "genrec_core", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    wheel = build_wheel(source, tmp_path / "wheels")
    packed = {name for name in ZipFile(wheel).namelist() if "report/templates/" in name}
    folder = ROOT / "genrec_core" / "evaluation" / "report" / "templates"
    assert packed == {str(path.relative_to(ROOT)) for path in folder.iterdir()}
    assert "genrec_core/evaluation/report/templates/page.html.jinja" in packed


def test_rows_of_one_plot_have_axes_of_one_width(page):
    columns = re.findall(r"\n *\.row \{[^}]*?grid-template-columns: ([^;]+);", page)
    assert len(columns) == 2  # wide pages and phones
    assert all(re.fullmatch(r"\d+px minmax\(0, 1fr\) \d+px", widths) for widths in columns)


def test_a_sticky_first_column_leaves_room_for_the_others_on_a_phone(page):
    phone = page[page.index("@media (max-width: 680px)") :].split("@media print")[0]
    sticky, room = phone.index("position: sticky"), phone.index("white-space: normal")
    assert sticky < room
    assert "max-width: 34vw" in phone


def test_the_documented_section_of_a_plugin_is_written(facts, tmp_path):
    latency = runpy.run_path(str(ROOT / "examples" / "extensions.py"))["latency"]
    write_report(tmp_path / "report.html", facts, [latency(facts)])
    assert "<dt>All requests</dt><dd>22 s</dd>" in (tmp_path / "report.html").read_text()
    assert latency(replace(facts, metrics={})) is None
