"""timm's model hub: which of its weights are downloaded, and whether it answers at all."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import timm
import torch
from huggingface_hub import get_hf_file_metadata, hf_hub_url, is_offline_mode, try_to_load_from_cache
from huggingface_hub.errors import HfHubHTTPError

from maskkit.modeling.hub_layout import INSIDE

PATIENCE = 5.0  # seconds for the first answer


def config_of(tag: str) -> timm.models.PretrainedCfg:
    """Return what timm knows of the weights of a model with its tag; without one, of the default."""
    config = timm.models.get_pretrained_cfg(tag)
    assert config is not None  # it is among timm's own names
    return config


def is_downloaded(tag: str) -> bool:
    """Whether the weights of a model with its tag are in the cache, as timm looks for them."""
    config = config_of(tag)
    if not config.hf_hub_id:
        return Path(torch.hub.get_dir(), "checkpoints", str(config.url).rpartition("/")[2]).is_file()
    return any(isinstance(try_to_load_from_cache(config.hf_hub_id, name), str) for name in _files(config))


def need_answer(tag: str) -> None:
    """Ask the hub once for weights that are not downloaded; raise what its client does without an answer.

    The client's own download asks seven times, with pauses, before it says that there is no network: for half
    a minute and more. Any answer will do here, also that there is no such file: timm knows other names. Where
    the client is set to be offline, it does not ask at all.
    """
    config = config_of(tag)
    if config.hf_hub_id and not is_offline_mode() and not is_downloaded(tag):
        with suppress(HfHubHTTPError):
            get_hf_file_metadata(hf_hub_url(config.hf_hub_id, _files(config)[0]), timeout=PATIENCE)


def _files(config: timm.models.PretrainedCfg) -> list[str]:
    """Return the names under which the hub may have the weights."""
    return [config.hf_hub_filename] if config.hf_hub_filename else list(INSIDE)
