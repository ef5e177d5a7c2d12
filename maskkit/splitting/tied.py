"""Groups that must stay together because their images share something, such as near-copies of one photo."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from maskkit.splitting.codes import numbered


def tied_groups(group: NDArray[np.int64], ties: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Join groups that share a value of any tie, also by way of others.

    They are the connected components of the graph between groups and values, found in time linear in
    the number of images (Pearce 2005, as SciPy has it).

    Args:
        group: Group of each image, any numbers, (images,).
        ties: Values of each image, any numbers from 0 on, each (images,); a negative one ties nothing.

    Returns:
        The component of each image, 0 to components - 1, (images,).
    """
    from scipy.sparse import coo_array  # takes as long to load as NumPy, and few splits need it
    from scipy.sparse.csgraph import connected_components

    first = numbered(group)
    nodes = int(first.max(initial=-1)) + 1
    ends = []
    for tie in ties:
        rows = np.flatnonzero(tie >= 0)
        value = nodes + numbered(tie[rows])
        nodes = int(value.max(initial=nodes - 1)) + 1
        ends.append((first[rows], value))
    if not ends:
        return first
    one, other = (np.concatenate(side) for side in zip(*ends, strict=True))
    links = coo_array((np.ones(len(one), np.int8), (one, other)), shape=(nodes, nodes))
    return numbered(connected_components(links, directed=False)[1][first].astype(np.int64))
