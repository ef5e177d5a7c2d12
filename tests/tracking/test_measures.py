from dataclasses import replace

from maskkit.tracking.facts import measures
from maskkit.training.epochs import Epoch

EPOCH = Epoch(
    epoch=1, train_loss=2.5, held_out_loss=1.25, scores={"macro_f1": 0.5}, learning_rate=1e-3,
    images_per_second=100.0, seconds=2.0, is_best=True,
)  # fmt: skip


def test_consistency_is_tracked_beside_the_loss_and_only_where_there_was_any() -> None:
    learnt = replace(EPOCH, parts={"joint": 2.0, "consistency": 0.5}, confident_share=0.25)
    told = measures(learnt)
    assert (told["train/consistency"], told["train/confident_share"]) == (0.5, 0.25)
    assert set(told) - set(measures(EPOCH)) == {"train/joint", "train/consistency", "train/confident_share"}
