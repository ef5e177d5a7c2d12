from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from maskkit.artifacts.checks import BOX, LEVEL
from maskkit.artifacts.files import Source
from maskkit.artifacts.header import KEY, Header, Input, Record
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.parquet import read_parquet, to_parquet
from maskkit.errors import MaskkitError, RefusedError
from maskkit.labels import HOME, Factor, LabelSpace

LABEL = Record("label", {"root": "photos"}, (Input("train.csv", "a" * 64),))
HEADER = Header("manifest", HOME, (LABEL,))
COLUMNS = {
    "path": pa.array(["a/1.jpg", "a/2.jpg", "b.jpg", "c.jpg"]),
    "person_id": pa.array(["001", "001", "002", None]),
    "mask": pa.array(["wear", "none", "incorrect", "wear"]).dictionary_encode().cast(LEVEL),
    "gender": pa.array(["male", "male", "female", "male"]).dictionary_encode().cast(LEVEL),
    "age": pa.array([29, 29, 30, 60], pa.int16()),
    "label": pa.array([0, 12, 10, 2], pa.int16()),
    "target": pa.array([0, 12, 10, None], pa.int16()),
    "weight": pa.array([1, 1, 0.5, 0], pa.float32()),
    "origin": pa.array(["given"] * 4).dictionary_encode().cast(LEVEL),
}


def source(header: Header = HEADER, *, without: str = "", **columns: pa.Array) -> Source:
    """Make a manifest's bytes by plain means: the columns above, some of them replaced."""
    table = pa.table({name: values for name, values in {**COLUMNS, **columns}.items() if name != without})
    return Source("m.parquet", to_parquet(table, header))


def read(header: Header = HEADER, *, without: str = "", **columns: pa.Array) -> Manifest:
    return Manifest.read(source(header, without=without, **columns))


def after_split(by: str | None) -> Header:
    return HEADER.then(Record("split", {} if by is None else {"by": by}))


def test_reads_back_what_was_written(tmp_path: Path) -> None:
    manifest = read(box=pa.array([[0, 0, 1, 1]] * 4, pa.list_(pa.float32(), 4)))
    manifest.write(tmp_path / "m.parquet")
    again = Manifest.read(tmp_path / "m.parquet")
    assert again.table.equals(manifest.table)
    assert again.header.to_json() == manifest.header.to_json()
    assert again.name == str(tmp_path / "m.parquet")


@pytest.mark.parametrize("last", [None, [0.5, 0, 1, 1]])
def test_boxes_are_stored_as_lists_of_any_length_which_arrow_of_any_version_reads(
    last: list[float] | None,
) -> None:
    boxes = pa.chunked_array([[[0, 0, 1, 1], last], [last, [0, 0.5, 1, 1]]], BOX)
    data = to_parquet(pa.table({**COLUMNS, "box": boxes}), HEADER)
    assert pa.types.is_list(pq.read_schema(pa.BufferReader(data)).field("box").type)
    assert Manifest.read(Source("m.parquet", data)).table["box"].equals(boxes)


def test_the_same_rows_give_the_same_bytes_however_they_are_held_in_memory() -> None:
    manifest = read()
    pieces = pa.concat_tables([manifest.table.slice(0, 1), manifest.table.slice(1)])
    assert to_parquet(pieces, HEADER).equals(manifest.to_bytes())
    assert Manifest.read(Source("x", manifest.to_bytes())).to_bytes().equals(manifest.to_bytes())


def test_speaks_of_its_rows_in_integers_with_stand_ins_for_null() -> None:
    manifest = read(label=pa.array([0, None, 10, 2], pa.int16()), fold=pa.array([0, 0, -1, None], pa.int16()))
    assert manifest.labels.tolist() == [0, -1, 10, 2]
    assert manifest.integers("target").tolist() == [0, 12, 10, -1]
    assert manifest.folds.tolist() == [0, 0, -1, -2]
    assert manifest.paths == ["a/1.jpg", "a/2.jpg", "b.jpg", "c.jpg"]
    assert manifest.root == Path("photos")


def test_a_row_of_an_unknown_person_is_a_person_of_its_own() -> None:
    people = read(person_id=pa.array([None, "001", None, "001"])).people
    assert len(set(people.codes.tolist())) == 3
    assert people.codes[1] == people.codes[3]
    assert [people.names[code] for code in people.codes] == ["a/1.jpg", "001", "b.jpg", "001"]


def test_groups_rows_by_any_column_of_single_values() -> None:
    assert read().grouped("mask").codes.tolist() == [0, 1, 2, 0]
    assert read().grouped("age").names == ["29", "30", "60"]


def test_selects_rows_by_mask_or_index() -> None:
    manifest = read()
    assert manifest.select(np.array([False, True, False, True])).paths == ["a/2.jpg", "c.jpg"]
    assert manifest.select(np.array([2, 0])).paths == ["b.jpg", "a/1.jpg"]


def test_a_next_stage_adds_or_replaces_columns_and_one_record() -> None:
    manifest = read()
    result = manifest.then(
        "split", {"fold": pa.array([0, 0, 1, 1], pa.int16())}, folds=2, by="person", seed=7
    )
    assert result.table.column_names == [*manifest.table.column_names, "fold"]
    assert [record.stage for record in result.header.history] == ["label", "split"]
    record = result.header.history[-1]
    assert record.options == {"folds": 2, "by": "person", "seed": 7}
    assert record.inputs == (Input("m.parquet", source().sha256, LABEL.id),)
    again = result.then("split", {"fold": pa.array([1, 1, 0, 0], pa.int16())}, by="person")
    assert again.table.column_names == result.table.column_names
    assert again.folds.tolist() == [1, 1, 0, 0]
    assert "fold" not in manifest.table.column_names


def test_says_which_command_makes_a_column_it_needs() -> None:
    with pytest.raises(MaskkitError, match=r"m\.parquet has no fold") as caught:
        read().need("path", "fold")
    assert "maskkit split" in caught.value.fix
    with pytest.raises(MaskkitError, match="label is empty"):
        read(label=pa.nulls(4, pa.int16())).need("label")


@pytest.mark.parametrize(
    "columns",
    [
        {name: COLUMNS[name].cast(pa.large_string()) for name in ("path", "person_id")},
        {"path": COLUMNS["path"].dictionary_encode(), "person_id": COLUMNS["person_id"].dictionary_encode()},
        {name: COLUMNS[name].cast(pa.int64()) for name in ("age", "label", "target")},
        {name: COLUMNS[name].cast(pa.float64()) for name in ("age", "label", "weight")},
        {"age": COLUMNS["age"].cast(pa.string())},
        {name: COLUMNS[name].cast(pa.string()) for name in ("mask", "gender", "origin")},
        {name: COLUMNS[name].cast(pa.string()).cast(pa.string_view()) for name in ("path", "mask", "origin")},
        {
            name: COLUMNS[name].cast(pa.dictionary(pa.uint32(), pa.large_string()))
            for name in ("mask", "gender", "origin")
        },
        {"fold": pa.array([0, 0, 1, None], pa.int64())},
        {"fold": pa.array([0.0, 0.0, 1.0, None])},
    ],
    ids=lambda columns: ",".join(f"{name}:{values.type}"[:30] for name, values in columns.items()),
)
def test_wider_types_of_other_programs_are_cast(columns: dict[str, pa.Array]) -> None:
    ours, theirs = read(), read(**columns)
    for name in COLUMNS:
        assert theirs.table[name].to_pylist() == ours.table[name].to_pylist()
    for name in set(COLUMNS) - {"age"}:  # years may be of any numeric type
        assert theirs.table[name].type == ours.table[name].type
    if "fold" in columns:
        assert theirs.table["fold"].type == pa.int16()


def test_lists_of_other_programs_are_cast() -> None:
    box, flags = [[0, 0, 0.5, 1], None, None, [0, 0, 1, 1]], [["suspect:0.1"], None, [], ["a", "b"]]
    manifest = read(
        box=pa.array(box, pa.large_list(pa.float64())),
        flags=pa.array(flags, pa.large_list(pa.large_string())),
    )
    assert manifest.table["box"].to_pylist() == box
    assert manifest.table["flags"].to_pylist() == flags
    assert manifest.table.schema.field("box").type == pa.list_(pa.float32(), 4)


def test_reads_what_pandas_made_of_it() -> None:
    frame = pq.read_table(pa.BufferReader(source().data)).to_pandas()
    assert isinstance(frame, pd.DataFrame)
    table = pa.Table.from_pandas(frame)
    metadata = {**(table.schema.metadata or {}), KEY: HEADER.to_json()}
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(metadata), sink)
    again = Manifest.read(Source("pandas.parquet", sink.getvalue()))
    for name in COLUMNS:
        assert again.table[name].to_pylist() == read().table[name].to_pylist()


def test_row_groups_with_dictionaries_of_their_own_are_one_column() -> None:
    first = pa.table(COLUMNS)
    second = first.set_column(0, "path", pa.array(["d", "e", "f", "g"])).set_column(
        8, "origin", pa.array(["pseudo"] * 4).dictionary_encode().cast(LEVEL)
    )
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, first.schema.with_metadata({KEY: HEADER.to_json()})) as writer:
        writer.write_table(first)
        writer.write_table(second)
    manifest = Manifest.read(Source("x", sink.getvalue()))
    groups = manifest.grouped("origin")
    assert [groups.names[code] for code in groups.codes] == ["given"] * 4 + ["pseudo"] * 4


def wrong(**columns: pa.Array) -> MaskkitError:
    with pytest.raises(MaskkitError) as caught:
        read(**columns)
    assert "m.parquet" in caught.value.what
    assert caught.value.fix
    return caught.value


@pytest.mark.parametrize("column", ["path", "person_id", "label", "target", "weight", "origin"])
def test_a_missing_column_is_named(column: str) -> None:
    with pytest.raises(MaskkitError, match=f"m.parquet has no column '{column}'"):
        read(without=column)


def test_columns_of_one_name_are_refused() -> None:
    table = pa.table([*COLUMNS.values(), COLUMNS["path"]], names=[*COLUMNS, "path"])
    with pytest.raises(MaskkitError, match=r"m\.parquet has two columns path"):
        Manifest.read(Source("m.parquet", to_parquet(table, HEADER)))


def test_images_without_a_path_are_refused() -> None:
    assert "2 rows without a path" in wrong(path=pa.array(["a", None, None, "b"])).what


def test_an_image_listed_twice_is_named() -> None:
    assert "lists photos twice: b.jpg" in wrong(path=pa.array(["b.jpg", "a.jpg", "b.jpg", "c.jpg"])).what


@pytest.mark.parametrize(
    "path", ["/etc/a.jpg", "../a.jpg", "b/../../a.jpg", "b/..", "./a.jpg", "b//a.jpg", "", "b/"]
)
def test_a_path_that_may_leave_the_root_is_refused(path: str) -> None:
    assert "not under a root" in wrong(path=pa.array(["a.jpg", "b.jpg", path, "c.jpg"])).what


@pytest.mark.parametrize("origin", ["pseudo", "extra"])
def test_an_added_photo_may_lie_beside_the_root(origin: str) -> None:
    paths = pa.array(["a.jpg", "b.jpg", "../../test/c.jpg", "d.jpg"])
    origins = pa.array(["given", "given", origin, "given"])
    assert read(path=paths, origin=origins).paths[2] == "../../test/c.jpg"
    for path in ("/c.jpg", "../../c/../d.jpg", "..", "../", "../.", "..//c.jpg"):
        paths = pa.array(["a.jpg", "b.jpg", path, "d.jpg"])
        assert "not under a root" in wrong(path=paths, origin=origins).what


def test_probabilities_to_train_towards_are_read_with_null_where_there_are_none() -> None:
    probs = [[1 / 18] * 18, None, [1.0, *[0.0] * 17], None]
    column = read(target_probs=pa.array(probs)).table["target_probs"]
    assert column.type == pa.list_(pa.float32(), 18)
    assert [row is None for row in column.to_pylist()] == [False, True, False, True]


@pytest.mark.parametrize(
    "path", ["...a.jpg", "a..jpg", "..a/b.jpg", ".hidden/a.jpg", "with space/é 한글.jpg", "a\\b"]
)
def test_a_path_with_odd_letters_is_fine(path: str) -> None:
    assert read(path=pa.array(["a.jpg", "b.jpg", path, "c.jpg"])).paths[2] == path


@pytest.mark.parametrize("column", ["label", "target"])
@pytest.mark.parametrize("value", [18, -1])
def test_a_class_outside_the_label_space_is_refused(column: str, value: int) -> None:
    error = wrong(**{column: pa.array([0, 12, value, 2], pa.int64())})
    assert str(value) in error.what
    assert "0 to 17" in error.why


def test_a_label_that_contradicts_its_factors_is_refused() -> None:
    error = wrong(label=pa.array([0, 12, 11, 2], pa.int16()))
    assert "the label of 1 rows" in error.what
    assert "b.jpg has label 11, its factors make 10 (incorrect/female/30to59)" in error.why


def test_an_unknown_factor_or_label_contradicts_nothing() -> None:
    manifest = read(
        age=pa.array([None, 29, 30, 60], pa.int16()), label=pa.array([1, None, 10, 2], pa.int16())
    )
    assert manifest.labels.tolist() == [1, -1, 10, 2]


def test_a_table_without_factors_is_someones_own_and_fine() -> None:
    table = pa.table({name: COLUMNS[name] for name in COLUMNS if name not in ("mask", "gender", "age")})
    assert len(Manifest.read(Source("x", to_parquet(table, HEADER)))) == 4


def test_training_may_aim_at_another_class_than_the_truth() -> None:
    manifest = read(target=pa.array([2, 2, 2, 2], pa.int16()))
    assert manifest.labels.tolist() == [0, 12, 10, 2]


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("mask", pa.array(["wear", "none", "odd", "wear"])),
        ("mask", pa.array([0, 2, 1, 0])),
        ("age", pa.array(["29", "29", "thirty", "60"])),
        ("label", pa.array([0, 70_000, 10, 2])),
        ("label", pa.array([0.0, 0.5, 10, 2])),
        ("label", pa.array(["a", "b", "c", "d"])),
        ("weight", pa.array([1, -0.5, 1, 1])),
        ("weight", pa.array([1, float("nan"), 1, 1])),
        ("weight", pa.array([1, None, 1, 1])),
        ("origin", pa.array(["given", "guessed", "given", "given"])),
        ("origin", pa.array(["given", None, "given", "given"])),
        ("fold", pa.array([0, 0, -2, 1])),
        ("fold", pa.array(["a", "a", "b", "b"])),
        ("box", pa.array([[0.0, 0, 1]] * 4)),
        ("box", pa.array([[0.0, 0, 1, 1], [0.5, 0, 0.1, 1], None, None], BOX)),
        ("for_fold", pa.array([0, 0, -2, None])),
        ("target_probs", pa.array([[0.5, 0.5]] * 4)),
        ("target_probs", pa.array([[1 / 18] * 18, None, [0.1] * 18, None])),
        ("target_probs", pa.array([[1.5, -0.5, *[0] * 16], None, None, None])),
        ("target_probs", pa.array([[float("nan")] * 18, None, None, None])),
        ("target_probs", pa.array([[1, *[None] * 17], None, None, None])),
    ],
)
def test_a_value_that_does_not_belong_is_refused_by_its_column(column: str, values: pa.Array) -> None:
    assert column in wrong(**{column: values}).what


def test_a_path_with_a_nul_is_refused() -> None:
    error = wrong(path=pa.array(["a", "b\0", "c", "d"]))
    assert error.what == r"m.parquet has paths with a NUL (character 0): 'b\x00'"


@pytest.mark.parametrize("age", [-1, 121])
def test_an_age_that_nobody_has_is_refused(age: int) -> None:
    error = wrong(age=pa.array([29, 29, 30, age], pa.int16()), label=pa.array([0, 12, 10, None], pa.int16()))
    assert error.what == f"m.parquet: age is {age}"
    assert "0 or above 120" in error.why
    assert read(age=pa.array([29, 29, 30, 120], pa.int16()))


@pytest.mark.parametrize("folds", [[0, 1, 1, 1], [0, -1, 1, 1]])
def test_a_person_in_two_folds_is_refused_with_exit_code_3(folds: list[int]) -> None:
    for header in (HEADER, after_split("person"), after_split(None)):
        with pytest.raises(RefusedError, match=r"m\.parquet has people in two folds: 001") as caught:
            read(header, fold=pa.array(folds, pa.int16()))
        assert caught.value.exit_code == 3


@pytest.mark.parametrize("by", ["image", "gender"])
def test_a_person_in_two_folds_is_read_only_if_the_last_split_recorded_it(by: str) -> None:
    fold = pa.array([0, 1, 1, 1], pa.int16())
    assert read(after_split(by), fold=fold).folds.tolist() == [0, 1, 1, 1]
    with pytest.raises(RefusedError):
        read(after_split(by).then(Record("split", {"by": "person"})), fold=fold)


def test_images_outside_the_split_and_of_unknown_people_divide_nobody() -> None:
    manifest = read(
        person_id=pa.array(["001", "001", None, None]), fold=pa.array([0, None, 0, 1], pa.int16())
    )
    assert manifest.folds.tolist() == [0, -2, 0, 1]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "x is not a Parquet file"),
        (b"path,label\na.jpg,3\n", "x is not a Parquet file"),
        (b"\x89PNG\r\n", "x is not a Parquet file"),
        (b"PAR1", "cannot read x"),
        (b"PAR1 and some text", "cannot read x"),
        (source().data.to_pybytes()[:-20], "cannot read x"),
        (source().data.to_pybytes()[:200], "cannot read x"),
    ],
)
def test_what_is_no_manifest_is_an_error_that_says_what_to_do(data: bytes, what: str) -> None:
    with pytest.raises(MaskkitError) as caught:
        Manifest.read(Source("x", pa.py_buffer(data)))
    assert caught.value.what == what
    assert caught.value.fix


def test_a_strangers_parquet_is_sent_to_label() -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(COLUMNS), sink)
    with pytest.raises(MaskkitError, match="no maskkit header") as caught:
        Manifest.read(Source("mine.parquet", sink.getvalue()))
    assert "maskkit label mine.parquet" in caught.value.fix


def test_predictions_are_not_a_manifest() -> None:
    with pytest.raises(MaskkitError, match=r"m\.parquet is a predictions, not a manifest"):
        read(Header("predictions", HOME))


def test_a_manifest_without_rows_is_one() -> None:
    empty = Manifest.read(Source("x", to_parquet(pa.table(COLUMNS).slice(0, 0), HEADER)))
    assert (len(empty), len(empty.people), empty.labels.tolist()) == (0, 0, [])


def test_compares_labels_of_other_spaces_too() -> None:
    space = LabelSpace((Factor("height", ("low", "high"), cuts=(1.5,)), Factor("kind", ("a", "b", "c"))))
    columns = {
        "height": pa.array([1.5, 1.4, None, 2]),
        "kind": pa.array(["a", "c", "b", "b"]),
        "label": pa.array([3, 2, None, 4], pa.int16()),
        "target": pa.array([3, 2, None, 4], pa.int16()),
    }
    assert read(Header("manifest", space), **columns).labels.tolist() == [3, 2, -1, 4]
    columns["label"] = pa.array([2, 2, None, 4], pa.int16())
    with pytest.raises(MaskkitError, match="the label of 1 rows"):
        read(Header("manifest", space), **columns)


def test_read_parquet_returns_the_header_apart_from_the_table() -> None:
    header, table = read_parquet(source(), kind=None)
    assert header.to_json() == HEADER.to_json()
    assert table.schema.metadata is None
    assert pc.equal(table["path"], COLUMNS["path"]).to_pylist() == [True] * 4
