"""No test asks another machine, and one that does fails."""

import os
import socket
from contextlib import closing

import pytest


def test_a_name_of_another_machine_is_not_looked_up(other_machines: list[str]) -> None:
    with pytest.raises(OSError, match=r"a test asked for model\.hub"):
        socket.create_connection(("model.hub", 443))
    assert other_machines == ["model.hub"]
    other_machines.clear()


def test_another_machine_is_not_asked(other_machines: list[str]) -> None:
    with closing(socket.socket()) as one, pytest.raises(OSError, match="a test asked for 192"):
        one.connect(("192.0.2.1", 443))
    assert other_machines == ["192.0.2.1"]
    other_machines.clear()


def test_commands_that_tests_start_ask_no_model_hub() -> None:
    assert os.environ["HF_HUB_OFFLINE"] == "1"
