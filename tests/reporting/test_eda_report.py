"""The pages of `maskkit eda`: whole documents that load nothing."""

from __future__ import annotations

import numpy as np
import pytest

from maskkit.artifacts.manifest import Manifest
from maskkit.describing.photo_properties import Histogram
from maskkit.reporting.eda_report import bars
from maskkit.stages.eda import eda, report
from maskkit.stages.shift import report as comparison_report
from maskkit.stages.shift import shift


def test_bars_are_as_high_as_their_counts_and_rules_lie_within() -> None:
    laid = bars(Histogram((10, 20, 30, 60), (5, 10, 0)), "age", rules=(30, 90))
    heights = [one.height for one in laid.bars]
    assert heights[0] == pytest.approx(heights[1] / 2, abs=0.1)
    assert heights[2] == 0
    assert [one.y + one.height for one in laid.bars] == pytest.approx([laid.base] * 3, abs=0.1)
    assert [rule.label for rule in laid.rules] == ["30"]
    assert laid.bars[2].x - 1 < laid.rules[0].at < laid.bars[2].x + 1


def test_a_page_says_what_was_found_and_closes_its_tags(folds: Manifest) -> None:
    found = eda(folds, name="my photos")
    page = report(found, folds)
    text = " ".join(page.split())
    assert page.count("<section") == page.count("</section>")
    assert page.count("<table") == page.count("</table>") > 8
    assert "The data of my photos" in text
    for name in ("wear/female/30to59", "gender x age", "What is rare", "Duplicates", "--normalize 0."):
        assert name in text
    assert "<script" not in page


def test_a_page_of_two_sets_says_how_they_differ(labels: Manifest) -> None:
    person = labels.people.codes
    found = shift(labels.select(person < 12), labels.select(person >= 12), names=("one", "<two>"))
    page = comparison_report(found)
    assert "one and &lt;two&gt;" in page
    assert page.count("<section") == page.count("</section>")
    assert "AUC" in page
    assert comparison_report(found) == page


def test_a_page_without_photos_looked_at_has_counts_alone(folds: Manifest) -> None:
    page = report(eda(folds.select(np.arange(7)), counts_only=True), folds)
    assert "Duplicates" not in page
    assert "Classes" in page
