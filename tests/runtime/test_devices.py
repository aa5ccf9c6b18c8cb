"""Devices are refused in one line, and arithmetic repeats itself only where it was asked to."""

import pytest
import torch

from pacbayes.errors import InputError, UsageError
from pacbayes.runtime.devices import CPU, Place, repeatable
from pacbayes.runtime.environment import environment

without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")


def switches() -> tuple[object, ...]:
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.backends.cuda.matmul.allow_tf32,
        torch.backends.cudnn.allow_tf32,
        torch.backends.cudnn.benchmark,
        torch.get_float32_matmul_precision(),
        torch.utils.deterministic.fill_uninitialized_memory,
    )


def test_the_cpu_in_either_type() -> None:
    assert Place.of("cpu", "float32") == CPU
    place = Place.of("cpu", "float64")
    assert place.put(torch.ones(2)).dtype == torch.float64
    assert place.put(torch.ones(2).long()).dtype == torch.int64
    assert place.put(torch.ones(2).bool()).dtype == torch.bool


def test_what_is_there_already_is_not_copied() -> None:
    tensor = torch.ones(2)
    assert CPU.put(tensor) is tensor


@pytest.mark.parametrize(
    ("device", "dtype", "message"),
    [
        ("gpu", "float32", "--device takes cpu, cuda or cuda:N, got 'gpu'"),
        ("cuda:", "float32", "--device takes"),
        ("cuda:-1", "float32", "--device takes"),
        ("cuda:x", "float32", "--device takes"),
        ("cpu:0", "float32", "--device takes"),
        ("mps", "float32", "--device takes"),
        ("cpu", "bfloat16", "--dtype takes float32 or float64"),
    ],
)
def test_other_texts_are_refused(device: str, dtype: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Place.of(device, dtype)


@without_gpu
@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:7"])
def test_a_device_that_is_absent_is_refused(device: str) -> None:
    with pytest.raises(UsageError, match=f"--device {device}: torch finds no CUDA device here"):
        Place.of(device, "float32")


def test_switches_hold_for_a_block_and_are_put_back() -> None:
    torch.set_float32_matmul_precision("high")
    before = switches()
    try:
        with repeatable():
            assert switches() == (True, False, False, False, "highest", False)
            found = environment()
        assert (found["deterministic"], found["tf32"]) == ("on", "off")
        assert switches() == before
        with pytest.raises(ValueError, match="inside"), repeatable():
            raise ValueError("inside")
        assert switches() == before
    finally:
        torch.set_float32_matmul_precision("highest")


def test_an_operation_that_cannot_repeat_itself_is_refused_in_one_line() -> None:
    with pytest.raises(InputError, match=r"operation put_ .* other bits each time") as found:
        with repeatable():
            torch.zeros(4).put_(torch.tensor([0]), torch.ones(1))
    assert "\n" not in str(found.value)
    assert not torch.are_deterministic_algorithms_enabled()
    with pytest.raises(RuntimeError, match="shapes"), repeatable():
        torch.ones(2, 3) @ torch.ones(2, 3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_cuda_device_takes_tensors_and_numbers_end_where_devices_do() -> None:
    assert Place.of("cuda", "float64").put(torch.ones(2)).is_cuda
    with pytest.raises(UsageError, match="the last is"):
        Place.of("cuda:99", "float32")
