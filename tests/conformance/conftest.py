"""Language models of random weights behind the ports: what holds of every backend holds of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tinymodels import text_model, vision_model
from tools.models.chat import ChatModel


@pytest.fixture(scope="session")
def sees(tmp_path_factory: pytest.TempPathFactory) -> ChatModel:
    """A vision-language model in this process."""
    return _local(vision_model(tmp_path_factory.mktemp("models") / "sees"))


@pytest.fixture(scope="session")
def reads(tmp_path_factory: pytest.TempPathFactory) -> ChatModel:
    """A language model in this process."""
    return _local(text_model(tmp_path_factory.mktemp("models") / "reads"))


def _local(folder: Path) -> ChatModel:
    from tools.backends.inprocess.model import TransformersChat

    return TransformersChat(str(folder), device="cpu")
