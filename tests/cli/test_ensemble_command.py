from __future__ import annotations

import json
from pathlib import Path

import pytest
from commandline import run
from members import out_of_fold, write_members

from maskkit.artifacts.decision import Decision
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions

MEMBERS = ["m0.parquet", "m1.parquet", "m2.parquet"]
OOF = ["m0-oof.parquet", "m1-oof.parquet", "m2-oof.parquet"]


@pytest.fixture(scope="module")
def inputs(folds: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("members")
    folds.write(folder / "folds.parquet")
    for suffix in ("", "-oof"):
        write_members(folds, folder, skills=(2.5, 2.0, 1.0), suffix=suffix)
    leaking = out_of_fold(folds, skill=9, seed=0, name="leaking", leaked=3)
    (folder / "leaking.parquet").write_bytes(leaking.encode("parquet"))
    for name in (*MEMBERS, *OOF):
        read = Predictions.read(folder / name)
        (folder / name.replace("parquet", "csv")).write_bytes(read.encode("submission"))
    decision = Decision.make(folds.space, (), method="temperature", temperature=2.0)
    (folder / "decide.json").write_bytes(decision.to_bytes())
    return folder


@pytest.fixture
def work(inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for path in inputs.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_submissions_of_any_make_are_voted_on(work: Path) -> None:
    ids, lost = "ImageID,ans\n{},1\n{},2\n", "마스크.jpg"
    Path("utf16.csv").write_bytes(ids.format("000142", lost).replace(",", ";").encode("utf-16"))
    Path("pandas.csv").write_text(ids.format("142.0", lost).replace(",1", ",1.0"), encoding="utf-8-sig")
    Path("korean.csv").write_bytes(ids.format("000142", lost).encode("cp949"))
    given = ("utf16.csv", "pandas.csv", "korean.csv")
    result = run("ensemble", *given)
    assert result.exit_code == 1
    assert "--encoding cp949" in result.stderr
    result = run("ensemble", *given, "--encoding", "cp949")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == ids.format("000142", lost)
    assert "leading zeros alone, such as 000142 and 142.0" in result.stderr
    assert run("ensemble", *given, "--encoding", "zip").exit_code == 2


def test_the_encoding_given_is_recorded(work: Path) -> None:
    data = bytes(Predictions.read("m0.parquet").encode("csv"))
    Path("m0-utf16.csv").write_bytes(data.decode().encode("utf-16-le"))
    result = run("ensemble", "m0-utf16.csv", "m1.parquet", "--encoding", "utf-16-le", "-o", "blend.parquet")
    assert result.exit_code == 0, result.stderr
    assert "--encoding utf-16-le" in run("show", "blend.parquet", "--history").stdout


def test_a_fitted_blend_tells_its_weights_and_what_it_gains(work: Path) -> None:
    result = run(
        "ensemble", *MEMBERS, "--vote", "soft", "--fit", *OOF, "--on", "folds.parquet", "-o", "blend.parquet",
        "--report", "report.json",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "blend.parquet\n"
    assert "over the best single member:" in result.stderr
    assert "over the vote of equal members:" in result.stderr
    assert "both wrong" in result.stderr
    assert max(map(len, result.stderr.splitlines())) <= 110
    told = json.loads(Path("report.json").read_text())
    assert told["blended"] == MEMBERS
    assert [one["fitted_on"] for one in told["members"]] == OOF
    shown = run("show", "blend.parquet").stdout
    assert "macro_f1_on_other_people" in shown


def test_a_glob_of_files_is_what_the_option_takes_in_any_place(work: Path) -> None:
    before = run(
        "ensemble", *MEMBERS, "--vote", "soft", "--fit", *OOF, "--on", "folds.parquet", "-o", "a.csv"
    )
    after = run(
        "ensemble", "--fit", *OOF, "--vote", "soft", "--on", "folds.parquet", "-o", "b.csv", "--", *MEMBERS
    )
    assert (before.exit_code, after.exit_code) == (0, 0), after.stderr
    assert Path("a.csv").read_bytes() == Path("b.csv").read_bytes()


def test_without_predictions_the_honest_blend_of_the_out_of_fold_ones_is_written(work: Path) -> None:
    result = run(
        "ensemble", "--fit", *OOF, "--on", "folds.parquet", "--vote", "soft", "-o", "nested.parquet",
        "--report", "report.json",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    scores = run("evaluate", "folds.parquet", "nested.parquet", "--json").stdout
    told = json.loads(Path("report.json").read_text())
    assert json.loads(scores)["macro_f1"]["value"] == pytest.approx(
        told["macro_f1"]["blend_on_other_people"]["value"]
    )


def test_submissions_are_hard_voted_with_weights_from_a_manifest(work: Path) -> None:
    votes = [name.replace("parquet", "csv") for name in MEMBERS]
    oof = [name.replace("parquet", "csv") for name in OOF]
    result = run("ensemble", *votes, "--vote", "hard", "--fit", *oof, "--on", "folds.parquet")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("ImageID,ans\n")
    assert "taken on trust" in result.stderr


def test_a_leak_is_refused_with_exit_code_3(work: Path) -> None:
    words = ["--fit", "m0-oof.parquet", "leaking.parquet", "--on", "folds.parquet", "-o", "x.parquet"]
    result = run("ensemble", "m0.parquet", "m1.parquet", *words)
    assert result.exit_code == 3
    assert "leaking.parquet" in result.stderr
    assert not Path("x.parquet").exists()


def test_a_report_without_truth_tells_how_often_members_disagree(work: Path, folds: Manifest) -> None:
    result = run("ensemble", *MEMBERS, "-o", "x.parquet", "--report", "report.json")
    assert result.exit_code == 0, result.stderr
    pairs = json.loads(Path("report.json").read_text())["pairs"]
    assert [one["files"] for one in pairs] == [MEMBERS[:2], MEMBERS[::2], MEMBERS[1:]]
    answers = [Predictions.read(name).answer for name in MEMBERS[:2]]
    assert pairs[0]["disagreement"] == pytest.approx((answers[0] != answers[1]).mean())
    assert pairs[0]["double_fault"] is None


def test_labels_of_the_blended_photos_show_who_is_wrong_with_whom(work: Path) -> None:
    result = run("ensemble", *MEMBERS, "--on", "folds.parquet", "-o", "x.parquet")
    assert result.exit_code == 0, result.stderr
    assert "both wrong" in result.stderr


def test_a_consensus_and_a_decision_follow_the_blend(work: Path) -> None:
    result = run(
        "ensemble", *MEMBERS, "--vote", "geometric", "--consensus", "person", "--who", "folds.parquet",
        "--decide", "decide.json", "-o", "x.parquet",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert "agreed on their gender and age" in result.stderr
    assert list(Predictions.read("x.parquet").adjusted) == ["consensus", "decision"]


def test_weighted_is_another_name_of_soft(work: Path) -> None:
    made = []
    for vote in ("weighted", "soft"):
        words = ("--vote", vote, "--weights", "3,1,1", "-o", f"{vote}.parquet")
        assert run("ensemble", *MEMBERS, *words).exit_code == 0
        made.append(Path(f"{vote}.parquet").read_bytes())
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "lacks PREDICTIONS"),
        ([*MEMBERS, "--fit", *OOF], "--fit needs the truth"),
        (["--fit", *OOF, *MEMBERS[:2]], "--fit needs the truth"),
        (["m0.parquet", "--fit", *OOF, *MEMBERS[1:], "--on", "folds.parquet"], "write PREDICTIONS before it"),
        ([*MEMBERS, "--fit", *OOF, "--on", "folds.parquet", "--weights", "1,1,1"], "give one of the two"),
        ([*MEMBERS, "--vote", "stacking"], "stacking learns from out-of-fold predictions"),
        ([*MEMBERS, "--search", "greedy"], "of no use without --fit"),
        ([*MEMBERS, "--max-members", "2"], "of no use without --fit"),
        (["--fit", *OOF, "--on", "folds.parquet", "--search", "weights"], "use --vote soft"),
        (["--fit", *OOF, "--on", "folds.parquet", "--vote", "stacking", "--max-members", "2"], "each class"),
        ([*MEMBERS, "--consensus", "person"], "--who MANIFEST"),
        ([*MEMBERS, "--who", "folds.parquet"], "no use without --consensus"),
        ([*MEMBERS, "--decide", "decide.json"], "leaves no probabilities to decide on"),
        ([*MEMBERS, "--fit", "--on", "folds.parquet"], "give one file or more"),
        ([*MEMBERS, "--report", "./x.parquet"], "is given to -o too"),
        ([*MEMBERS, "--vote", "loud"], "it is one of"),
    ],
)
def test_words_that_contradict_each_other_are_wrong_usage(words: list[str], said: str, work: Path) -> None:
    before = sorted(work.iterdir())
    result = run("ensemble", *words, "-o", "x.parquet", COLUMNS="300")
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert sorted(work.iterdir()) == before


def test_a_recipe_can_name_several_files(work: Path) -> None:
    typed = run(
        "ensemble", *MEMBERS, "--vote", "soft", "--fit", *OOF, "--on", "folds.parquet", "-o", "a.parquet",
        "--dry-run",
    )  # fmt: skip
    Path("recipe.toml").write_text(typed.stdout)
    back = run("ensemble", *MEMBERS, "--recipe", "recipe.toml", "-o", "b.parquet", "--dry-run")
    assert (back.exit_code, back.stdout) == (0, typed.stdout), back.stderr
    assert 'fit = ["m0-oof.parquet", "m1-oof.parquet", "m2-oof.parquet"]' in typed.stdout
