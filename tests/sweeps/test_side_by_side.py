"""As many jobs as cores on a processor, and threads that share these."""

import pytest

from kaskad.config.messages import ConfigurationError
from kaskad.sweeps import side_by_side
from kaskad.sweeps.side_by_side import jobs_at_once, threads_each


@pytest.fixture(autouse=True)
def six_cores(monkeypatch) -> None:
    monkeypatch.setattr(side_by_side, "usable_cores", lambda: 6)
    monkeypatch.setattr(side_by_side, "_room", lambda: 5)
    for name in ("KASKAD_JOBS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)


def test_a_processor_has_as_many_jobs_as_cores_and_room_for_them(monkeypatch) -> None:
    assert jobs_at_once("cpu") == 5
    assert jobs_at_once("cpu", most=2) == 2
    assert threads_each(5) == 1
    assert threads_each(2) == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert jobs_at_once("cpu") == 3
    assert threads_each(3) == 2
    monkeypatch.setenv("OMP_NUM_THREADS", "2,1")  # for nested ones
    assert threads_each(3) == 2
    monkeypatch.setenv("KASKAD_JOBS", "4")
    assert jobs_at_once("cpu") == 4
    monkeypatch.setenv("KASKAD_JOBS", "many")
    with pytest.raises(ConfigurationError, match="KASKAD_JOBS=many: wants a number of jobs"):
        jobs_at_once("cpu")


@pytest.mark.parametrize("accelerator", ["gpu", "auto", None])
def test_jobs_elsewhere_run_one_by_one(accelerator: str | None) -> None:
    assert jobs_at_once(accelerator) == 1
