"""How often intervals hold the truth, and how often equal models are told apart, by simulation.

    python benchmarks/coverage.py --simulations 2000
    python benchmarks/coverage.py --simulations 300 --people 40 150 --old 0.03 --ways closed bootstrap

People with 7 photos each (5 masks worn, 1 worn wrongly, 1 none) are drawn from three populations: in `latent`
a person's age and gender look older, younger, more or less male than they are, on all photos somewhat alike;
in `alike` seven in ten people are answered the same on all their photos; in `apart` photos of a person are
answered independently. The truth is the score of 300,000 people. An interval is missed above if the truth is
above it. With `--pairs` two models with answers of the same quality are compared, and with `--best` 5, 20 and
100 such models: what is said of the best is compared with what it is worth.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from timing import machine

from maskkit.labels import HOME
from maskkit.scoring import metrics
from maskkit.scoring.best_of import best_of
from maskkit.scoring.measuring import score
from maskkit.scoring.paired import paired
from maskkit.scoring.results import Estimate
from maskkit.scoring.slice_columns import Cut
from maskkit.scoring.slice_scores import score_slices

PHOTOS = 7
MASK = np.array([0, 0, 0, 0, 0, 1, 2])
CROWD = 300_000
GENDER_TAKEN = np.array([[0.92, 0.08], [0.05, 0.95]])  # rows are the truth
AGE_TAKEN = np.array([[0.82, 0.18, 0.0], [0.15, 0.80, 0.05], [0.02, 0.45, 0.53]])
Ints = NDArray[np.int64]
Generator = np.random.Generator


@dataclass(frozen=True)
class People:
    """Who is photographed, (people,) each."""

    gender: Ints
    age: Ints  # level
    years: NDArray[np.float64]
    looks: NDArray[np.float64]  # how much more female, and older, they look than they are, (2, people)

    @classmethod
    def draw(cls, generator: Generator, people: int, old: float) -> People:
        """Draw people of whom such a share is 60 or over; of the others half are under 30."""
        gender = (generator.random(people) < 0.6).astype(np.int64)
        band = np.digitize(generator.random(people), [0.49 * (1 - old), 1 - old]).astype(np.int64)
        years = generator.uniform(np.array([18, 30, 60])[band], np.array([30, 60, 75])[band])
        return cls(gender, band, years, generator.normal(size=(2, people)))

    @property
    def truth(self) -> Ints:
        """Class of each photo, (people, 7)."""
        return MASK * 6 + (self.gender * 3 + self.age)[:, None]


def answers(generator: Generator, crowd: People, population: str) -> Ints:
    """Let a model answer, (people, 7); another call is another model of the same quality."""
    size = (len(crowd.gender), PHOTOS)
    wrong = generator.random(size) < 0.02
    mask = np.where(wrong, (MASK + generator.integers(1, 3, size)) % 3, MASK)
    if population == "latent":
        own = generator.normal(size=(2, size[0], 1)) * [[[0.5]], [[4.0]]]  # of this model
        each = generator.normal(size=(2, *size)) * [[[0.5]], [[4.0]]]
        female = (2 * crowd.gender - 1) * 1.7 + 0.7 * crowd.looks[0]
        older = crowd.years + 6 * crowd.looks[1]
        gender = (female[:, None] + own[0] + each[0] > 0).astype(np.int64)
        age = np.digitize(older[:, None] + own[1] + each[1], [30, 61])
        return np.asarray(mask * 6 + gender * 3 + age)
    alike = generator.random((size[0], 1)) < (0.7 if population == "alike" else 0.0)
    gender = _taken(generator, crowd.gender, GENDER_TAKEN, alike)
    age = _taken(generator, crowd.age, AGE_TAKEN, alike)
    return np.asarray(mask * 6 + gender * 3 + age)


def _taken(generator: Generator, truth: Ints, taken: NDArray[np.float64], alike: NDArray[np.bool_]) -> Ints:
    chance = np.where(alike, generator.random(alike.shape), generator.random((len(truth), PHOTOS)))
    return np.asarray((chance[..., None] > taken.cumsum(axis=1)[truth][:, None, :-1]).sum(axis=-1))


def measured(truth: Ints, answer: Ints, way: str, seed: int) -> dict[str, Estimate]:
    """Return the intervals that are tested, by name."""
    person = np.arange(len(truth)).repeat(PHOTOS)
    if way == "bootstrap":
        return _bootstrap(truth, answer, seed)
    found = score(truth.ravel(), answer.ravel(), space=HOME, person=person)
    each = {"macro-F1": found.macro_f1, "accuracy": found.accuracy}
    each |= {f"macro-F1 of {one.name}": one.macro_f1 for one in found.factors}
    each |= {f"accuracy of {one.name}": one.accuracy for one in found.factors}
    classes = {f"F1 of class {one.name}": one.f1 for one in found.classes}
    levels = {f"F1 of level {level.name}": level.f1 for one in found.factors for level in one.levels}
    return each | classes | levels | _of_slices(truth.ravel(), answer.ravel(), person)


def _of_slices(truth: Ints, answer: Ints, person: Ints) -> dict[str, Estimate]:
    """Return the scores of each gender and each band of age by itself, as `evaluate --by` gives them."""
    found = {}
    for place, factor in list(enumerate(HOME.factors))[1:]:
        level = np.unravel_index(truth, HOME.shape)[place]
        for one in score_slices(truth, answer, Cut(factor.levels, level), space=HOME, person=person):
            found[f"macro-F1 of slice {one.name}"] = one.macro_f1
            found[f"accuracy of slice {one.name}"] = one.accuracy
    return found


def _bootstrap(truth: Ints, answer: Ints, seed: int) -> dict[str, Estimate]:
    """Draw people anew, as maskkit 0.1 did, with percentiles of macro-F1 and accuracy."""
    people = len(truth)
    cells = np.zeros((people, 324))
    np.add.at(cells, (np.arange(people)[:, None], truth * 18 + answer), 1)
    drawn = np.random.default_rng(seed).multinomial(people, np.full(people, 1 / people), size=600) @ cells
    tables = drawn.astype(np.int64).reshape(-1, 18, 18)
    names = {"macro-F1": metrics.macro_f1(tables), "accuracy": metrics.accuracy(tables)}
    return {name: Estimate(None, *np.quantile(one, [0.025, 0.975])) for name, one in names.items()}


@dataclass(frozen=True)
class Setting:
    """What is simulated."""

    population: str
    people: int
    old: float  # share of people of 60 and over

    def truth(self) -> dict[str, float]:
        """Return every measure of a crowd."""
        generator = np.random.default_rng(1)
        crowd = People.draw(generator, CROWD, self.old)
        found = measured(crowd.truth, answers(generator, crowd, self.population), "closed", 0)
        return {name: one.value for name, one in found.items() if one.value is not None}

    def simulated(self, seed: int, *, way: str) -> dict[str, Estimate]:
        """Return what one sample of people gives."""
        generator = np.random.default_rng([seed, self.people, int(1000 * self.old)])
        crowd = People.draw(generator, self.people, self.old)
        return measured(crowd.truth, answers(generator, crowd, self.population), way, seed)

    def paired(self, seed: int) -> dict[str, Estimate]:
        """Return the difference of two models of the same quality."""
        generator = np.random.default_rng([seed, self.people, int(1000 * self.old)])
        crowd = People.draw(generator, self.people, self.old)
        both = [answers(generator, crowd, self.population).ravel() for _ in range(2)]
        person = np.arange(self.people).repeat(PHOTOS)
        return paired(crowd.truth.ravel(), both, space=HOME, person=person).difference[0]


def best(setting: Setting, models: int, truth: float, seed: int) -> tuple[float, float, bool]:
    """Return how far the best of equals, and what is said of it, are above its worth, and if that holds."""
    generator = np.random.default_rng([seed, setting.people, models])
    crowd = People.draw(generator, setting.people, setting.old)
    given = [answers(generator, crowd, setting.population).ravel() for _ in range(models)]
    person = np.arange(setting.people).repeat(PHOTOS)
    found = best_of(crowd.truth.ravel(), given, space=HOME, person=person)
    said, low, high = found.worth.value, found.worth.low, found.worth.high
    assert None not in (said, low, high)
    return found.own - truth, (said or 0) - truth, (low or 0) <= truth <= (high or 1)


KINDS = ("F1 of class", "F1 of level", "macro-F1 of slice", "accuracy of slice")  # counted together


def table(found: Sequence[dict[str, Estimate]], truth: dict[str, float]) -> Iterator[str]:
    """Yield a line per measure: how often it is covered, missed above and below, its width, and refused."""
    rows: dict[str, list[tuple[float, float, float]]] = {}
    refused: dict[str, int] = {}
    for one in found:
        for name, estimate in one.items():
            kind = next((kind for kind in KINDS if name.startswith(kind)), name)
            if name not in truth:
                continue
            if estimate.low is None or estimate.high is None:
                refused[kind] = refused.get(kind, 0) + 1
                continue
            high, low = estimate.high, estimate.low
            rows.setdefault(kind, []).append((truth[name] > high, truth[name] < low, high - low))
    for name, each in rows.items():
        above, below, width = np.mean(each, axis=0)
        out = refused.get(name, 0) / (len(each) + refused.get(name, 0))
        held = 1 - above - below
        fine = 0.93 <= held <= 0.97 and max(above, below) <= 0.04
        numbers = " | ".join(f"{number:.3f}" for number in (held, above, below, width, out))
        yield f"{name} | {numbers} | {'' if fine else '*'}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--simulations", type=int, default=2000)
    parser.add_argument("--populations", nargs="+", default=["latent", "alike", "apart"])
    parser.add_argument("--people", nargs="+", type=int, default=[40, 150, 650, 2700])
    parser.add_argument("--old", nargs="+", type=float, default=[0.072, 0.03, 0.0])
    parser.add_argument("--ways", nargs="+", default=["closed"], choices=["closed", "bootstrap"])
    parser.add_argument("--pairs", action="store_true")
    parser.add_argument("--best", nargs="+", type=int, default=[])
    parser.add_argument("--jobs", type=int, default=1)
    given = parser.parse_args()
    print(machine())
    for population in given.populations:
        for people in given.people:
            for old in given.old:
                setting = Setting(population, people, old)
                if given.best:
                    print(f"\n{population}, {people} people, {old:.1%} of 60 and over")
                    print("models | own less worth | said less worth | covered")
                    truth = setting.truth()["macro-F1"]
                    for models in given.best:
                        with multiprocessing.Pool(given.jobs) as pool:
                            work = partial(best, setting, models, truth)
                            found = pool.map(work, range(given.simulations), chunksize=25)
                        own, off, held = np.mean(found, axis=0)
                        print(f"{models} | {own:+.4f} | {off:+.4f} | {held:.3f}", flush=True)
                    continue
                started, seeds = time.process_time(), range(given.simulations)
                truth = dict.fromkeys(metrics.overall_names(HOME), 0.0) if given.pairs else setting.truth()
                for way in ["pairs"] if given.pairs else given.ways:
                    work = setting.paired if given.pairs else partial(setting.simulated, way=way)
                    with multiprocessing.Pool(given.jobs) as pool:
                        found = pool.map(work, seeds, chunksize=25)
                    print(f"\n{population}, {people} people, {old:.1%} of 60 and over, {way}")
                    print("measure | covered | above | below | width | refused | outside 93 to 97 %")
                    print("\n".join(table(found, truth)), flush=True)
                print(f"{time.process_time() - started:.0f} s of this process", flush=True)


if __name__ == "__main__":
    main()
