import base64
import json

import numpy as np
import pytest

from maskkit.artifacts.seen import Seen
from maskkit.errors import MaskkitError


def refuse(why: str) -> MaskkitError:
    return MaskkitError("x is damaged", why=why, fix="make it again")


PEOPLE = [f"{number:06d}" for number in range(2700)]


def test_knows_whom_it_holds_and_nobody_else() -> None:
    seen = Seen.of(PEOPLE[::2], salt="manifest")
    assert seen.contains(PEOPLE).tolist() == [index % 2 == 0 for index in range(len(PEOPLE))]
    assert seen.contains([]).tolist() == []


def test_comes_back_from_json() -> None:
    seen = Seen.of([*PEOPLE, "홍길동", ""], salt="s" * 64)
    again = Seen.from_json(json.loads(json.dumps(seen.to_json())), refuse)
    assert again.salt == seen.salt
    assert np.array_equal(again.digests, seen.digests)
    assert again.contains(["홍길동", "", "other"]).tolist() == [True, True, False]


def test_does_not_depend_on_order_or_repetition() -> None:
    assert Seen.of(PEOPLE, salt="a").to_json() == Seen.of([*PEOPLE[::-1], *PEOPLE], salt="a").to_json()


def test_nobody_is_a_set_too() -> None:
    nobody = Seen.from_json(Seen.of([], salt="a").to_json(), refuse)
    assert nobody.contains(PEOPLE[:2]).tolist() == [False, False]


def test_another_salt_gives_other_digests_and_names_are_not_readable() -> None:
    one, other = Seen.of(PEOPLE, salt="a"), Seen.of(PEOPLE, salt="b")
    assert not np.isin(one.digests, other.digests).any()
    assert "000001" not in json.dumps(one.to_json())


def coded(*digests: int) -> str:
    return base64.b64encode(np.array(digests, "<u8").tobytes()).decode()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (None, "seen should be a table"),
        ({"salt": "s"}, "has no 'digests'"),
        ({"salt": 3, "digests": ""}, "seen.salt should be a text"),
        ({"salt": "s", "digests": "AAAA"}, "have 3 bytes, and each digest has 8"),
        ({"salt": "s", "digests": "%&"}, "seen.digests"),
        ({"salt": "s", "digests": coded(2, 1)}, "are not in order, each once"),
        ({"salt": "s", "digests": coded(1, 1)}, "are not in order, each once"),
    ],
)
def test_what_is_not_well_formed_is_refused_by_its_place(data: object, why: str) -> None:
    with pytest.raises(MaskkitError) as caught:
        Seen.from_json(data, refuse)
    assert why in caught.value.why
