from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from maskkit.artifacts.manifest import Manifest
from maskkit.cache.records import Cache
from maskkit.errors import MaskkitError
from maskkit.options.train_options import TrainOptions
from maskkit.stages import bench as module
from maskkit.stages.bench import Bench, Speed, bench


@pytest.fixture
def found(labels: Manifest, quick: TrainOptions, tmp_path: Path) -> Bench:
    return bench(labels.located(cache=Cache(tmp_path, 10**8)), options=quick, seconds=0.02)


def test_measures_every_part_of_the_pipeline(found: Bench) -> None:
    parts = [speed.part for speed in found.speeds]
    assert list(dict.fromkeys(parts)) == ["decode", "augment", "load", "step", "train"]
    assert all(np.isfinite(speed.photos_per_second) and speed.photos_per_second > 0 for speed in found.speeds)
    assert [speed.number for speed in found.speeds if speed.part == "step"] == [10, 20, 40]
    loaded = [speed.setting for speed in found.speeds if speed.part in ("load", "train")]
    assert all(setting.startswith("cached") for setting in loaded)


def test_recommends_what_was_measured(found: Bench) -> None:
    assert found.workers in [speed.number for speed in found.speeds if speed.part == "train"]
    assert found.batch_size in (10, 20, 40)
    assert found.options == f"--workers {found.workers} --batch-size {found.batch_size}"
    assert found.to_json()["use"] == {"workers": found.workers, "batch_size": found.batch_size}


def test_without_a_cache_photos_come_from_files(labels: Manifest, quick: TrainOptions) -> None:
    few = labels.select(np.arange(3))
    speeds = bench(few, options=replace(quick, augment="none"), seconds=0.01).speeds
    settings = [speed.setting for speed in speeds if speed.part == "load"]
    assert all(setting.startswith("from files") for setting in settings)


def test_no_weights_are_fetched_to_measure_a_speed(labels: Manifest, quick: TrainOptions) -> None:
    bench(labels.select(np.arange(3)), options=replace(quick, weights="auto"), seconds=0.01)


@pytest.mark.parametrize(("batch_size", "accumulate", "sizes"), [(2, 1, [2, 4]), (4, 2, [4, 8])])
def test_tries_no_batches_that_the_model_cannot_learn_from(
    labels: Manifest, quick: TrainOptions, batch_size: int, accumulate: int, sizes: list[int]
) -> None:
    options = replace(quick, model="test_resnet", size="32x32", batch_size=batch_size)
    options = replace(options, optimizer=f"adamw:accumulate={accumulate}")
    found = bench(labels.select(np.arange(8)), options=options, seconds=0.01)
    assert [speed.number for speed in found.speeds if speed.part == "step"] == sizes
    with pytest.raises(MaskkitError, match="test_resnet cannot learn from one photo at a time"):
        bench(labels, options=replace(options, batch_size=1), seconds=0.01)


def speeds(**rates: dict[int, float]) -> list[Speed]:
    return [Speed(part, "", number, rate) for part, each in rates.items() for number, rate in each.items()]


MEASURED = speeds(load={0: 500.0}, step={64: 100.0}, train={0: 90.0})


@pytest.mark.parametrize(
    ("load", "step", "limit"),
    [(600.0, 200.0, "the model limits training"), (50.0, 200.0, "the photos limit")],
)
def test_says_which_part_limits(load: float, step: float, limit: str) -> None:
    measured = speeds(load={0: load / 2, 1: load}, step={32: step, 64: step}, train={0: 40, 1: 50})
    conclusion = module._conclusion(measured, TrainOptions(batch_size=64))
    assert conclusion.limit.startswith(limit)
    assert f"{max(load, step) / min(load, step):.1f} times" in conclusion.limit


def test_prefers_few_threads_and_the_batch_size_given_unless_others_are_clearly_faster() -> None:
    def recommended(train: dict[int, float], step: dict[int, float]) -> tuple[int, int]:
        measured = speeds(load={0: 500.0}, step=step, train=train)
        conclusion = module._conclusion(measured, TrainOptions(batch_size=64))
        return conclusion.workers, conclusion.batch_size

    assert recommended({0: 90, 1: 100, 2: 101}, {32: 99, 64: 100, 128: 103}) == (1, 64)
    assert recommended({0: 99, 1: 100, 2: 101}, {32: 99, 64: 100, 128: 120}) == (0, 128)
    assert recommended({0: 50, 1: 60, 2: 90}, {32: 130, 64: 100, 128: 90}) == (2, 32)


def test_times_both_precisions_where_auto_decides_between_them(
    labels: Manifest, quick: TrainOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: True)
    few = labels.select(np.arange(3))
    found = bench(few, options=replace(quick, augment="none", precision="auto"), seconds=0.01)
    assert [speed.setting for speed in found.speeds if speed.part == "precision"] == ["float32", "bfloat16"]


def test_advises_a_precision_only_where_auto_takes_one_that_is_clearly_slower() -> None:
    assert module._advised({"float32": 100.0, "bfloat16": 105.0}, "float32") == "auto"
    assert module._advised({"float32": 100.0, "bfloat16": 120.0}, "float32") == "bfloat16"
    assert module._advised({"float32": 100.0, "bfloat16": 80.0}, "bfloat16") == "float32"
    assert module._advised({}, "float32") == "auto"
    advice = replace(module._conclusion(MEASURED, TrainOptions(batch_size=64)), precision="float32")
    assert advice.options == "--workers 0 --batch-size 64 --precision float32"
    assert advice.to_json()["use"] == {"workers": 0, "batch_size": 64, "precision": "float32"}
