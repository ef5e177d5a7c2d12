import pytest
import torch

from maskkit.errors import MaskkitError
from maskkit.modeling.backbone import build
from maskkit.modeling.constructor import typed
from maskkit.modeling.photo_size import Size, check_size
from maskkit.options.model_settings import for_constructor
from maskkit.options.train_options import TrainOptions


def check(text: str, size: Size) -> None:
    choice = TrainOptions(model=text).one("model")
    settings = typed(choice.name, for_constructor(choice))
    check_size(build(choice.name, classes=3, settings=settings), choice, settings, size, classes=3)


@pytest.mark.parametrize(
    ("text", "size", "fix"),
    [
        (
            "vit_tiny_patch16_224",
            (128, 96),
            "use --size 224x224{} vit_tiny_patch16_224:img_size=128x96",
        ),
        (
            "vit_tiny_patch16_224:img_size=64x32,drop_path=0.1,depth=1",
            (32, 32),
            "use --size 64x32{} vit_tiny_patch16_224:drop_path=0.1,depth=1,img_size=32x32",
        ),
        (
            "vit_tiny_patch16_224:img_size=64",
            (8, 8),  # smaller than a patch: no model can be made for it
            "use --size 64x64, which it was made for",
        ),
        ("test_resnet:global_pool=", (64, 64), "change --size, or leave out global_pool="),
    ],
)
def test_names_what_works_where_a_model_takes_no_such_photos(text: str, size: Size, fix: str) -> None:
    with pytest.raises(MaskkitError, match="cannot take photos of") as caught:
        check(text, size)
    assert caught.value.fix == fix.format(", which it was made for, or make it for this size: --model")


@pytest.mark.parametrize("text", ["vit_tiny_patch16_224:depth=1,img_size=128x96", "test_resnet"])
def test_a_model_that_takes_the_photos_is_not_changed(text: str) -> None:
    check(text, (128, 96))


def test_a_model_that_does_not_classify_is_refused() -> None:
    with pytest.raises(MaskkitError, match="--model test_vit does not classify photos") as caught:
        check("test_vit:global_pool=", (64, 64))
    assert caught.value.why == "of one photo it makes 1x17x3 numbers instead of 1x3"
    assert "global_pool=" in caught.value.fix
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 2))
    with pytest.raises(MaskkitError) as plain:
        check_size(model, TrainOptions(model="net").one("model"), {}, (2, 2), classes=3)
    assert plain.value.fix == "choose another --model"
