import numpy as np

from maskkit.scoring import kinds


def test_numbers_people_and_makes_each_unknown_a_person_of_its_own() -> None:
    person = kinds.number_people(np.array([70, -1, 5, 70, -1]), rows=5)
    assert person.tolist() == [1, 2, 0, 1, 3]
    assert kinds.number_people(None, rows=3).tolist() == [0, 1, 2]


def test_groups_people_whose_photos_count_in_the_same_cells() -> None:
    cell = np.array([3, 0, 0, 3, 1, 3, 3])
    person = np.array([0, 0, 1, 1, 2, 3, 3])  # 0 and 1 alike; 2 has one photo; 3 has a cell twice
    found = kinds.kinds_of_people(cell, person)
    assert sorted(found.people.tolist()) == [1, 1, 2]
    rows = found.people[found.kind] * found.photos
    assert np.bincount(found.cell, weights=rows).tolist() == [2, 1, 0, 4]
