"""Photos decoded before the first step, once for all processes of a host; of several hosts each its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from maskkit.imaging.kept_photos import opened
from maskkit.imaging.photos import Photos, PhotosOfHost
from maskkit.predicting.inference import scored_by
from maskkit.processes.team import Alone
from maskkit.training.feed import host_of
from maskkit.training.fold import Fold


def decoded(photos: Photos, fold: Fold, *, batch_size: int, team: Alone) -> tuple[Photos, Fold]:
    """Return photos with all of them decoded, if there is a cache that keeps them, and their fold.

    The first process of a host decodes for all of them, which then find the photos in its cache. Of several
    hosts each decodes, and keeps, those that belong to it, and all that are unlabelled.
    """
    if photos.cache is None or team.world == 1:
        return _all(photos, fold)
    for is_turn_of_first in (True, False):
        if is_turn_of_first == team.is_first_of_host:
            is_alone = len(set(team.hosts)) == 1
            photos, fold = _all(photos, fold) if is_alone else _here(photos, fold, batch_size, team)
        team.agree(is_stoppable=False)
    return photos, fold


def _all(photos: Photos, fold: Fold) -> tuple[Photos, Fold]:
    photos = opened(photos)
    return photos, replace(_with_unlabeled(fold), inputs=photos)


def _here(photos: Photos, fold: Fold, batch_size: int, team: Alone) -> tuple[Photos, Fold]:
    """Decode what this host's processes train on or score."""
    trained = fold.training[host_of(fold.training, team) == team.host]
    shares = scored_by(len(fold.held_out), batch_size, team.world)
    here = [
        part for host, share in zip(team.hosts, shares, strict=True) if host == team.host for part in share
    ]
    rows = np.sort(np.concatenate([trained, *(fold.held_out[part] for part in here)]))
    place = np.full(len(photos), -1)
    place[rows] = np.arange(len(rows))
    inputs = PhotosOfHost(photos, opened(photos.only(rows)), place)
    return photos, replace(_with_unlabeled(fold), inputs=inputs)


def _with_unlabeled(fold: Fold) -> Fold:
    if fold.unlabeled is None or not isinstance(fold.unlabeled.inputs, Photos):
        return fold
    return replace(fold, unlabeled=replace(fold.unlabeled, inputs=opened(fold.unlabeled.inputs)))
