import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from maskkit.errors import MaskkitError
from maskkit.splitting.few_groups import MOST_GROUPS
from maskkit.splitting.folds import class_counts, holdout_groups, stratified_group_folds

Counts = NDArray[np.int64]
IMAGES = st.one_of(st.integers(0, 3), st.integers(0, 3), st.integers(0, 1000))


def counts_of(least: int) -> st.SearchStrategy[Counts]:
    shapes = st.tuples(st.integers(least, 60), st.integers(1, 5))
    return shapes.flatmap(lambda shape: arrays(np.int64, shape, elements=IMAGES))


COUNTS, COUNTS_OF_MANY = counts_of(2), counts_of(MOST_GROUPS + 1)


def competition(*, people: int = 2700, missing: float = 0.0, seed: int = 0) -> tuple[Counts, Counts]:
    """The home task's shape: counts (people, 18), and gender x five-year age as stratum (people,)."""
    random = np.random.default_rng(seed)
    male, young, old = (round(people * share / 2700) for share in (1042, 1281, 192))
    gender = np.repeat([0, 1], [male, people - male])
    age = np.concatenate(
        [
            random.integers(18, 30, young),
            random.integers(30, 60, people - young - old),
            np.full(old, 60),
        ]
    )
    random.shuffle(age)
    person = np.arange(people)
    counts = np.zeros((people, 18), np.int64)
    for mask, photos in enumerate((5, 1, 1)):
        taken = random.binomial(photos, 1 - missing, people)
        counts[person, mask * 6 + gender * 3 + np.digitize(age, [30, 60])] = taken
    return counts, age // 5 * 2 + gender


def deviation(amounts: Counts, fold: NDArray[np.integer], folds: int) -> NDArray[np.float64]:
    """Relative deviation from the mean over the folds, without sign, (folds, columns)."""
    held = np.stack([amounts[fold == number].sum(axis=0) for number in range(folds)])
    held = held[:, held.sum(axis=0) > 0]
    return np.asarray(np.abs(held / held.mean(axis=0) - 1))


def in_strata(counts: Counts, stratum: Counts) -> Counts:
    """Images of each group in the column of its stratum, (groups, strata)."""
    return np.asarray((stratum[:, None] == np.unique(stratum)) * counts.sum(axis=1, keepdims=True))


def by_sklearn(counts: Counts, *, folds: int, seed: int) -> NDArray[np.integer]:
    group, label = np.nonzero(counts)
    times = counts[group, label]
    group, label = np.repeat(group, times), np.repeat(label, times)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    fold = np.zeros(len(counts), np.int64)
    for number, (_, held_out) in enumerate(splitter.split(label, label, group)):
        fold[group[held_out]] = number
    return fold


def numbers_of_kinds(counts: Counts, fold: NDArray[np.integer], folds: int) -> NDArray[np.int64]:
    """Groups of each distinct row of counts in each fold, (kinds, folds)."""
    kinds, kind = np.unique(counts, axis=0, return_inverse=True)
    table = np.zeros((len(kinds), folds), np.int64)
    np.add.at(table, (kind, fold), 1)
    return table


@settings(max_examples=150, deadline=None)
@given(counts=COUNTS, data=st.data(), seed=st.integers(0, 99))
def test_spreads_each_kind_evenly_and_leaves_no_fold_empty(
    counts: Counts, data: st.DataObject, seed: int
) -> None:
    folds = data.draw(st.integers(2, len(counts)))
    fold = stratified_group_folds(counts, folds=folds, seed=seed)
    assert fold.shape == (len(counts),)
    assert fold.dtype == np.int16
    assert set(fold) == set(range(folds))
    if len(counts) > MOST_GROUPS:
        assert np.ptp(numbers_of_kinds(counts, fold, folds), axis=1).max() <= 1


@settings(max_examples=50, deadline=None)
@given(counts=COUNTS_OF_MANY, seed=st.integers(0, 99))
def test_spreads_each_kind_of_each_stratum_evenly(counts: Counts, seed: int) -> None:
    stratum = np.arange(len(counts)) % 3 * 10 - 5
    fold = stratified_group_folds(counts, stratum=stratum, folds=2, seed=seed)
    numbers = numbers_of_kinds(np.column_stack([counts, stratum]), fold, 2)
    assert np.ptp(numbers, axis=1).max() <= 1


@settings(max_examples=50, deadline=None)
@given(counts=COUNTS, seed=st.integers(0, 99))
def test_fold_contents_do_not_depend_on_the_order_of_groups(counts: Counts, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(counts))
    fold = stratified_group_folds(counts, folds=2, seed=seed)
    shuffled = stratified_group_folds(counts[order], folds=2, seed=seed)
    assert np.array_equal(numbers_of_kinds(counts, fold, 2), numbers_of_kinds(counts[order], shuffled, 2))


def test_a_seed_always_deals_the_same_folds() -> None:
    counts, stratum = competition(people=300, missing=0.05)
    first, again = (stratified_group_folds(counts, stratum=stratum, seed=3) for _ in range(2))
    assert np.array_equal(first, again)


@pytest.mark.parametrize("is_unique", [False, True])
def test_another_seed_keeps_other_people_together(is_unique: bool) -> None:
    counts = competition(people=300)[0]
    if is_unique:  # no two groups alike: nothing to deal, all to place
        counts = counts + np.random.default_rng(0).permutation(300 * 18).reshape(300, 18)
    first, other = (stratified_group_folds(counts, seed=seed) for seed in (0, 1))
    together = [fold[:, None] == fold for fold in (first, other)]
    # By chance, a fifth of the pairs that were together still are.
    assert (together[0] & together[1]).sum() < 0.4 * together[0].sum()


@pytest.mark.parametrize("missing", [0.0, 0.05])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_classes_and_ages_are_more_even_than_with_scikit_learn(missing: float, seed: int) -> None:
    counts, stratum = competition(missing=missing, seed=seed)
    ours = stratified_group_folds(counts, stratum=stratum, seed=seed)
    theirs = by_sklearn(counts, folds=5, seed=seed)
    rounding = 1e-9
    mine, its = deviation(counts, ours, 5), deviation(counts, theirs, 5)
    assert mine.max() <= its.max() + rounding
    assert mine.mean() <= its.mean() + rounding
    ages = in_strata(counts, stratum)
    mine, its = deviation(ages, ours, 5), deviation(ages, theirs, 5)
    assert mine.max() < its.max() / 3
    assert mine.mean() < its.mean() / 3


def test_no_class_is_off_by_more_than_one_person_when_all_photos_are_there() -> None:
    counts, _ = competition()
    fold = stratified_group_folds(counts)
    photos = np.repeat([5, 1, 1], 6)
    people = (
        np.stack([counts[fold == number].sum(axis=0) for number in range(5)]) / photos
    )  # (folds, classes)
    assert np.ptp(people, axis=0).max() <= 1
    assert np.bincount(fold).tolist() == [540] * 5


def test_groups_of_any_size_reach_the_evenest_counts_possible() -> None:
    random = np.random.default_rng(0)
    counts = random.poisson(random.gamma(0.5, 6, (3000, 1)) * random.dirichlet(np.full(6, 0.3), 3000))
    fold = stratified_group_folds(counts, folds=4)
    held = np.stack([counts[fold == number].sum(axis=0) for number in range(4)])
    assert np.ptp(held, axis=0).max() <= 1


def test_spreads_a_class_of_fewer_groups_than_folds() -> None:
    counts = np.zeros((103, 2), np.int64)
    counts[:100, 0] = 1
    counts[100:, 1] = [1, 2, 3]
    fold = stratified_group_folds(counts, folds=5)
    assert len(set(fold[100:])) == 3
    assert np.ptp([counts[fold == number].sum() for number in range(5)]) <= 3


def test_a_giant_group_gets_no_company_beyond_its_share() -> None:
    counts = np.ones((104, 1), np.int64)
    counts[0] = 10_000
    fold = stratified_group_folds(counts, folds=5)
    # 103 = 5 x 20 + 3: the fold of the giant is one of the two with 20 of the small groups.
    assert (fold == fold[0]).sum() == 21


def test_each_group_is_its_own_fold_when_there_are_as_many() -> None:
    counts = np.array([[1], [1], [5], [0]])
    assert sorted(stratified_group_folds(counts, folds=4)) == [0, 1, 2, 3]


def test_the_fold_with_one_more_group_differs_by_seed() -> None:
    largest = [
        np.bincount(stratified_group_folds(np.ones((11, 1), np.int64), seed=s)).argmax() for s in range(9)
    ]
    assert len(set(largest)) > 2


def test_a_stratum_never_makes_the_classes_less_even() -> None:
    counts, stratum = competition(missing=0.05)
    plain = stratified_group_folds(counts)
    finer = stratified_group_folds(counts, stratum=stratum)
    assert deviation(counts, finer, 5).max() <= deviation(counts, plain, 5).max() + 1e-9


@pytest.mark.parametrize("share", [0.1, 0.2, 0.33, 0.8])
def test_holds_out_the_share_of_each_class(share: float) -> None:
    counts, stratum = competition(missing=0.05)
    side = holdout_groups(counts, stratum=stratum, share=share)
    assert set(side) == {0, -1}
    ideal = counts.sum(axis=0) * share
    assert np.abs(counts[side == 0].sum(axis=0) - ideal).max() < 5  # one person has five with a mask
    assert counts[side == 0].sum() == pytest.approx(ideal.sum(), rel=0.005)


@settings(max_examples=100, deadline=None)
@given(counts=COUNTS, share=st.floats(0.001, 0.999), seed=st.integers(0, 9))
def test_a_holdout_always_has_both_sides(counts: Counts, share: float, seed: int) -> None:
    side = holdout_groups(counts, share=share, seed=seed)
    assert set(side) == {0, -1}
    assert np.array_equal(side, holdout_groups(counts, share=share, seed=seed))


def test_another_seed_holds_out_other_people() -> None:
    counts = competition(people=300)[0]
    first, other = (holdout_groups(counts, share=0.2, seed=seed) == 0 for seed in (0, 1))
    assert (first & other).sum() < 0.5 * first.sum()


def test_refuses_more_folds_than_groups() -> None:
    with pytest.raises(MaskkitError, match="5 folds from 3 groups") as caught:
        stratified_group_folds(np.ones((3, 2), np.int64), folds=5)
    assert "--folds 3" in caught.value.fix


@pytest.mark.parametrize("folds", [-1, 0, 1, 40_000])
def test_refuses_a_number_of_folds_out_of_range(folds: int) -> None:
    with pytest.raises(MaskkitError, match=f"cannot make {folds} folds"):
        stratified_group_folds(np.ones((9, 2), np.int64), folds=folds)


@pytest.mark.parametrize("share", [-0.1, 0.0, 1.0, 20.0, float("nan")])
def test_refuses_a_share_that_leaves_nothing(share: float) -> None:
    with pytest.raises(MaskkitError, match=f"a share of {share}"):
        holdout_groups(np.ones((9, 2), np.int64), share=share)


@pytest.mark.parametrize("people", [0, 1])
def test_refuses_to_divide_a_single_group(people: int) -> None:
    counts = np.ones((people, 2), np.int64)
    with pytest.raises(MaskkitError, match=f"of {people} groups"):
        holdout_groups(counts, share=0.5)
    with pytest.raises(MaskkitError, match=f"2 folds from {people} groups"):
        stratified_group_folds(counts, folds=2)


@settings(max_examples=100, deadline=None)
@given(counts=COUNTS, data=st.data(), folds=st.integers(2, 7))
def test_a_perfect_split_is_found_where_there_is_one_and_one_more_group_costs_its_images(
    counts: Counts, data: st.DataObject, folds: int
) -> None:
    alike = np.repeat(counts, folds, axis=0)
    fold = stratified_group_folds(alike, folds=folds, seed=data.draw(st.integers(0, 99)))
    held = np.stack([alike[fold == number].sum(axis=0) for number in range(folds)])
    assert np.ptp(held, axis=0).max() == 0

    extra = data.draw(arrays(np.int64, counts.shape[1], elements=IMAGES))
    more = np.vstack([alike, extra])
    fold = stratified_group_folds(more, folds=folds)
    sizes = np.bincount(fold, weights=more.sum(axis=1), minlength=folds)
    if len(more) > MOST_GROUPS:
        assert np.ptp(sizes) == extra.sum()


def test_each_stratifier_is_balanced_by_itself() -> None:
    random = np.random.default_rng(0)
    counts, _ = competition(people=600)
    strata = np.column_stack([random.integers(0, 9, 600), random.integers(0, 7, 600) * 10**12])
    plain = stratified_group_folds(counts)
    finer = stratified_group_folds(counts, stratum=strata)
    for stratum in strata.T:
        images = in_strata(counts, stratum)
        assert deviation(images, finer, 5).max() < deviation(images, plain, 5).max() / 2
    assert deviation(counts, finer, 5).max() <= deviation(counts, plain, 5).max() + 1e-9


def test_counts_are_those_of_each_pair_of_group_and_class() -> None:
    random = np.random.default_rng(0)
    group, label = random.integers(0, 5, 99), random.integers(0, 3, 99)
    counts = class_counts(group, label, groups=6, classes=4)
    assert counts.shape == (6, 4)
    assert counts.dtype == np.int64
    for row, column in np.ndindex(6, 4):
        assert counts[row, column] == ((group == row) & (label == column)).sum()


def test_counts_beyond_32_bits_are_balanced_like_small_ones() -> None:
    counts, _ = competition(people=200)
    many = counts * 2**35 + (counts > 0)  # products of five of these columns pass 64 bits
    fold = stratified_group_folds(many, seed=3)
    assert np.array_equal(fold, stratified_group_folds(counts, seed=3))
