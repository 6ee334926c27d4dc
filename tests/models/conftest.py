"""What tests of models share."""

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def cut_off(monkeypatch: pytest.MonkeyPatch) -> Callable[[type, int, Callable[[], Any]], None]:
    """Run a training of a kind of model until memory runs out at a step of it."""

    def run_until(kind: Any, step: int, start: Callable[[], Any]) -> None:
        learn = kind.training_step

        def die(model: Any, *batch: Any) -> Any:
            if model.trainer.global_step == step:
                raise MemoryError("the machine is needed elsewhere")
            return learn(model, *batch)

        with monkeypatch.context() as patched:
            patched.setattr(kind, "training_step", die)
            with pytest.raises(MemoryError):
                start()

    return run_until
