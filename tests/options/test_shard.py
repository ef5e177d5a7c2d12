import pytest

from maskkit.errors import MaskkitError
from maskkit.options.shard import Shard


@pytest.mark.parametrize("total", [0, 1, 5, 7, 100])
@pytest.mark.parametrize("count", [1, 2, 7, 50])
def test_shards_divide_rows_evenly_and_in_order(total: int, count: int) -> None:
    shares = [list(range(total))[Shard(number, count).of(total)] for number in range(1, count + 1)]
    assert [row for share in shares for row in share] == list(range(total))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_one_is_read_as_it_is_written() -> None:
    assert Shard.read("3/7") == Shard(3, 7)
    assert str(Shard(3, 7)) == "3/7"
    assert Shard.read_if_given(None) is None


@pytest.mark.parametrize("text", ["", "3", "0/7", "8/7", "3/7/9", "-1/7", "3 / 7", "1/100001", "a/b"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(MaskkitError, match="--shard is"):
        Shard.read(text)
