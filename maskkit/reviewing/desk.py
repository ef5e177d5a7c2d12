"""All that a page shows and a person decides on: questions, screens, photos, decisions."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256
from typing import Any

from maskkit.artifacts.manifest import Manifest
from maskkit.auditing.findings import KINDS
from maskkit.imaging.decode import decode
from maskkit.imaging.roots import photo_files
from maskkit.imaging.thumbnails import as_jpeg
from maskkit.labels import AGE, OLDEST
from maskkit.reviewing.decisions import COLUMNS, Decisions
from maskkit.reviewing.questions import Labelled, Question, Screen, screens_of
from maskkit.storage.address import PathOrAddress

SMALL, LARGE = 360, 1400  # pixels: the height of photos side by side, and of one that is looked at
KEPT = 300  # photos, some 20 MB


@dataclass(frozen=True)
class Desk:
    """A manifest, what is asked about it, and what was decided."""

    manifest: Manifest
    questions: Sequence[Question]
    decisions: Decisions

    @cached_property
    def screens(self) -> list[Screen]:
        """The questions by person."""
        return screens_of(self.manifest, self.questions)

    @cached_property
    def files(self) -> dict[int, PathOrAddress]:
        """The file of each row that a screen shows.

        Raises:
            MaskkitError: Photos are not under the root.
        """
        rows = sorted({row for screen in self.screens for row in screen.rows})
        table = self.manifest.table.select(["path"]).take(rows)
        shown = Manifest(table, self.manifest.header, self.manifest.source, self.manifest.photos)
        return dict(zip(rows, photo_files(shown, tolerant=True), strict=True))

    def need_photos(self) -> None:
        """Raise if photos are not where they are said to be, before anybody is shown anything."""
        _ = self.files

    @cached_property
    def picture(self) -> Callable[[int, int], bytes]:
        """A function from a row and a height to a photo as a JPEG, none of it higher than the photo is.

        It raises a MaskkitError for a photo that cannot be read.
        """

        @lru_cache(KEPT)
        def drawn(row: int, height: int) -> bytes:
            pixels = decode(self.files[row], least=lambda *_: (height, 1))
            return as_jpeg(pixels, height=min(height, len(pixels)))

        return drawn

    def to_json(self, *, saved_as: str) -> dict[str, Any]:
        """Return all that a page needs but the photos; `saved_as` is the file that decisions go to."""
        values = Labelled(self.manifest)
        return {
            "manifest": self.manifest.name,
            "key": self._key(),
            "saved_as": saved_as,
            "labelled_from": self._labelled_from(),
            "columns": COLUMNS,
            "factors": {
                factor.name: {
                    "levels": factor.levels,
                    "numeric": factor.is_numeric,
                    "range": [0, OLDEST] if factor.name == AGE else None,
                }
                for factor in self.manifest.space.factors
            },
            "screens": [self._screen(screen, values) for screen in self.screens],
            "questions": [self._question(number) for number in range(len(self.questions))],
            **self.decisions.changes(),
        }

    def _key(self) -> str:
        """Return what tells this review from others, under which a page without a server keeps decisions."""
        asked = [(one.path, one.person, one.factor.name, one.given, one.proposed) for one in self.questions]
        return sha256(json.dumps(asked).encode()).hexdigest()[:16]

    def _labelled_from(self) -> str:
        """Return what `label` was given for the manifest, as a shell reads it."""
        made = [record for record in self.manifest.header.lineage() if record.stage == "label"]
        return shlex.quote(made[0].inputs[0].path) if made and made[0].inputs else "train.csv"

    def _screen(self, screen: Screen, values: Labelled) -> dict[str, Any]:
        paths, factors = self.manifest.paths, self.manifest.space.factors
        photos = [
            {"row": row, "path": paths[row], "label": [values.text(row, factor) for factor in factors]}
            for row in screen.rows
        ]
        return {"title": screen.title, "photos": photos, "questions": screen.questions}

    def _question(self, number: int) -> dict[str, Any]:
        question = self.questions[number]
        return {
            "path": question.path or "",
            "person": question.person or "",
            "column": question.factor.name,
            "rows": question.rows,
            "given": question.given,
            "given_level": question.level_of(question.given) if question.given else -1,
            "before": self.decisions.before(number),
            "proposed": question.proposed,
            "proposed_level": question.level_of(question.proposed),
            "kind": question.kind,
            "meaning": KINDS.get(question.kind, ""),
            "confidence": question.confidence,
            "evidence": question.evidence,
        }
