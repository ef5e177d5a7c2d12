from __future__ import annotations

import pytest

from maskkit.artifacts.thrift import DEEPEST, read_fields


def read(*numbers: int) -> tuple[dict[int, object], int]:
    return read_fields(memoryview(bytes(numbers)), 0)


def test_fields_are_read_by_their_numbers() -> None:
    assert read(0x15, 4, 0x25, 3, 0) == ({1: 2, 3: -2}, 5)  # numbers of 32 bits, the second two further on
    assert read(0x05, 40, 1, 0) == ({20: -1}, 4)  # a number of a field that is written out
    assert read(0x15, 0x80, 0x02, 0) == ({1: 128}, 4)
    assert read(0x11, 0x12, 0x13, 255, 0) == ({1: True, 2: False, 3: 255}, 5)
    assert read(0x18, 2, 7, 7, 0x17, *[9] * 8, 0) == ({1: None, 2: None}, 14)  # text, float
    assert read(0x1C, 0x15, 2, 0, 0) == ({1: {1: 1}}, 5)
    assert read(0x19, 0x25, 2, 4, 0) == ({1: [1, 2]}, 5)
    assert read(0x19, 0xF3, 16, *range(16), 0) == ({1: [*range(16)]}, 20)


@pytest.mark.parametrize(
    "numbers",
    [
        [], [0x15], [0x18, 200, 1, 0], [0x19, 0xF5, 255, 255, 1, 2], [0x1B, 0, 0], [0x1E, 0],
        [0x1C] * (DEEPEST + 2) + [0] * (DEEPEST + 3),
        [0x19, *[0x19] * 1000],
    ],
)  # fmt: skip
def test_what_is_no_structure_of_parquet_is_an_error(numbers: list[int]) -> None:
    with pytest.raises(ValueError, match=r"ends early|Parquet does not|64 bits"):
        read(*numbers)


def test_a_number_of_more_than_64_bits_is_an_error() -> None:
    with pytest.raises(ValueError, match="a number has more than 64 bits"):
        read(0x15, *[255] * 10, 0, 0)
