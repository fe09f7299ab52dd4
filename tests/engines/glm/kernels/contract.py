"""What every implementation of a decode step's kernels must do: that of torch, and Triton's on whatever runs it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch

from streamer.engines.glm.kernels.base import StepKernels
from streamer.engines.glm.kernels.plain import PlainKernels
from streamer.engines.glm.llm.cache import BLOCK
from tests.engines.glm.kernels.numbers import BF16, FP32, Cached, Drawn, angles

DTYPES = pytest.mark.parametrize("dtype", [FP32, BF16], ids=["fp32", "bf16"])


class _Contract:
    small: Mapping[str, int] = {"heads": 3, "shared": 1, "head": 16, "length": 2 * BLOCK}
    """Sizes of a cache."""
    grouped: Mapping[str, int] = {"heads": 6, "shared": 2, "head": 16, "length": 2 * BLOCK}

    @pytest.fixture
    def kernels(self) -> StepKernels:
        raise NotImplementedError

    @pytest.fixture
    def device(self) -> torch.device:
        raise NotImplementedError


class AttentionContract(_Contract):
    garbage: float = 1e38
    """What may lie behind a row's position."""

    @DTYPES
    def test_it_is_a_softmax_over_the_keys_up_to_the_position(
        self, kernels: StepKernels, device: torch.device, dtype: torch.dtype
    ) -> None:
        positions = [0, 3, BLOCK - 1, BLOCK, 2 * BLOCK - 1]
        cached = Cached.draw(Drawn(device, dtype), positions, **self.grouped)
        seen, tolerance = cached.attend(kernels), 3e-6 if dtype == FP32 else 2e-2
        for row in range(len(positions)):
            torch.testing.assert_close(seen[row].double(), cached.exact(row), atol=tolerance, rtol=0)
        torch.testing.assert_close(seen, cached.attend(PlainKernels()), atol=tolerance, rtol=0)

    def test_more_blocks_than_are_joined_at_once(self, kernels: StepKernels, device: torch.device) -> None:
        positions = [6 * BLOCK - 1, 4 * BLOCK]
        cached = Cached.draw(Drawn(device, FP32), positions, **{**self.small, "length": 6 * BLOCK})
        seen = cached.attend(kernels)
        for row in range(2):
            torch.testing.assert_close(seen[row].double(), cached.exact(row), atol=3e-6, rtol=0)

    def test_scores_that_differ_much(self, kernels: StepKernels, device: torch.device) -> None:
        """Nothing overflows, and what weighs nothing is nothing."""
        cached = Cached.draw(Drawn(device, FP32), [BLOCK + 40], **self.small)
        cached.queries.mul_(3000.0)
        torch.testing.assert_close(cached.attend(kernels)[0].double(), cached.exact(0), atol=2e-2, rtol=0)

    @DTYPES
    def test_what_lies_behind_a_row_is_exactly_nothing(
        self, kernels: StepKernels, device: torch.device, dtype: torch.dtype
    ) -> None:
        positions = [0, 100, BLOCK]
        cached = Cached.draw(Drawn(device, dtype), positions, **self.small)
        before = cached.attend(kernels)
        for row, position in enumerate(positions):
            cached.keys[row, :, position + 1 :] = self.garbage
            cached.values[row, :, position + 1 :] = -self.garbage
        assert torch.equal(cached.attend(kernels), before)

    @DTYPES
    def test_a_row_is_the_same_in_every_slot_and_company(
        self, kernels: StepKernels, device: torch.device, dtype: torch.dtype
    ) -> None:
        mine = Cached.draw(Drawn(device, dtype, seed=1), [BLOCK + 30], **self.small)
        seen = [mine.attend(kernels)[0]]
        for slot, others in enumerate(([0, 0], [2 * BLOCK - 1, 7], [-1, BLOCK])):
            positions = [*others[:slot], BLOCK + 30, *others[slot:]]
            batch = Cached.draw(Drawn(device, dtype, seed=2 + slot), positions, **self.small)
            for part, own in zip(batch[:3], mine[:3], strict=True):
                part[slot] = own[0]
            seen.append(batch.attend(kernels)[slot])
        # Alone is another shape: of a product by torch it may be other bits.
        same = seen if not isinstance(kernels, PlainKernels) else seen[1:]
        assert all(torch.equal(one, same[0]) for one in same)
        torch.testing.assert_close(seen[0], seen[1], atol=1e-6 if dtype == FP32 else 1e-2, rtol=0)

    @DTYPES
    def test_a_row_without_a_position_gets_zeros(
        self, kernels: StepKernels, device: torch.device, dtype: torch.dtype
    ) -> None:
        cached = Cached.draw(Drawn(device, dtype), [-1, 5, -1000], **self.small)
        seen = cached.attend(kernels)
        assert not seen[0].any()
        assert not seen[2].any()
        torch.testing.assert_close(seen[1].double(), cached.exact(1), atol=2e-2, rtol=0)

    def test_nobody_has_a_position(self, kernels: StepKernels, device: torch.device) -> None:
        assert not Cached.draw(Drawn(device, FP32), [-1, -1], **self.small).attend(kernels).any()

    def test_positions_of_32_bits(self, kernels: StepKernels, device: torch.device) -> None:
        cached = Cached.draw(Drawn(device, FP32), [9, BLOCK + 1], **self.small)
        narrow = cached._replace(positions=cached.positions.to(torch.int32))
        assert torch.equal(narrow.attend(kernels), cached.attend(kernels))

    @pytest.mark.parametrize("part", ["queries", "keys", "values"])
    def test_what_is_no_number_is_not_hidden(self, kernels: StepKernels, device: torch.device, part: str) -> None:
        cached = Cached.draw(Drawn(device, FP32), [20, 30], **self.grouped)
        tensor = getattr(cached, part)
        tensor[0, 0, ..., 3] = torch.nan  # of one head, or of one KV head at every position
        seen = cached.attend(kernels)
        assert seen[0, 0, 3].isnan()
        assert seen[1].isfinite().all()
        assert seen[0, -1].isfinite().all()


class RotationContract(_Contract):
    heads, shared, head, length = 6, 2, 16, BLOCK
    positions = (0, 1, 77, BLOCK - 1, -1)

    @DTYPES
    @pytest.mark.parametrize("integer", [torch.int64, torch.int32])
    def test_queries_and_keys_turn_and_values_stay(
        self, kernels: StepKernels, device: torch.device, dtype: torch.dtype, integer: torch.dtype
    ) -> None:
        drawn, rows = Drawn(device, dtype), len(self.positions)
        projected = drawn.normal(rows, self.heads + 2 * self.shared, self.head)
        keys, values = (drawn.normal(rows, self.shared, self.length, self.head) for _ in range(2))
        cosine, sine = angles(device, self.length + 9, self.head)
        positions = torch.tensor(self.positions, device=device, dtype=integer)

        def written(kernels: StepKernels) -> list[torch.Tensor]:
            into = keys.clone(), values.clone(), drawn.empty(rows, self.heads, self.head)
            kernels.rotate_and_store(projected.flatten(1), cosine, sine, positions, *into)
            return list(into)

        result = written(kernels)
        # The very bits that torch makes of it, but for rows that take no part.
        plain = written(PlainKernels())
        plain[2][-1] = result[2][-1]
        for one, other in zip(result, plain, strict=True):
            assert torch.equal(one, other)

        expected_keys, expected_values = keys.double(), values.double()
        tolerance = 1e-6 if dtype == FP32 else 2e-2
        for row, position in enumerate(self.positions[:-1]):
            turn = torch.complex(cosine[position].double(), sine[position].double())
            left, right = projected[row, : -self.shared].double().chunk(2, -1)
            turned = torch.view_as_real(torch.complex(left, right) * turn).transpose(-1, -2).flatten(-2)
            queries = turned[: self.heads] / self.head**0.5
            torch.testing.assert_close(result[2][row].double(), queries, atol=tolerance, rtol=tolerance)
            expected_keys[row, :, position] = turned[self.heads :]
            expected_values[row, :, position] = projected[row, -self.shared :].double()
        torch.testing.assert_close(result[0].double(), expected_keys, atol=tolerance, rtol=tolerance)
        assert torch.equal(result[1].double(), expected_values)  # nothing but the one position of each row

    def test_a_row_is_the_same_in_every_company(self, kernels: StepKernels, device: torch.device) -> None:
        cosine, sine = angles(device, self.length, self.head)
        seen = []
        for row in range(3):
            drawn = Drawn(device, BF16, seed=row)
            projected = drawn.normal(3, (self.heads + 2 * self.shared) * self.head)
            projected[row] = Drawn(device, BF16, seed=9).normal(projected.shape[1])
            positions = torch.tensor([row * 9, 200, 13], device=device)
            positions[row] = 50
            keys, values = (drawn.empty(3, self.shared, self.length, self.head) for _ in range(2))
            queries = drawn.empty(3, self.heads, self.head)
            kernels.rotate_and_store(projected, cosine, sine, positions, keys, values, queries)
            seen.append(torch.cat([part.flatten() for part in (queries[row], keys[row], values[row])]))
        assert torch.equal(seen[0], seen[1])
        assert torch.equal(seen[0], seen[2])


class SwigluContract(_Contract):
    @DTYPES
    @pytest.mark.parametrize("width", [48, 1500])
    def test_it_is_the_gate_times_what_it_opens(
        self, kernels: StepKernels, device: torch.device, dtype: torch.dtype, width: int
    ) -> None:
        drawn = Drawn(device, dtype)
        gate_up, out = drawn.normal(3, 2 * width) * 4, drawn.empty(3, width)
        gate_up[0, :4] = torch.tensor([1e4, -1e4, 0.0, -80.0], dtype=dtype, device=device)
        kernels.swiglu(gate_up, out)
        gate, up = gate_up.double().chunk(2, -1)
        rounding = 1e-6 if dtype == FP32 else 5e-3
        torch.testing.assert_close(out.double(), gate * gate.sigmoid() * up, atol=rounding, rtol=rounding)
        plain = drawn.empty(3, width)
        PlainKernels().swiglu(gate_up, plain)
        torch.testing.assert_close(out, plain, atol=1e-6, rtol=2 * rounding)

    @DTYPES
    def test_a_row_is_the_same_in_every_company(
        self, kernels: StepKernels, device: torch.device, dtype: torch.dtype
    ) -> None:
        seen = []
        for row in range(3):
            gate_up = Drawn(device, dtype, seed=row).normal(3, 96)
            gate_up[row] = Drawn(device, dtype, seed=9).normal(96)
            out = torch.zeros(3, 48, dtype=dtype, device=device)
            kernels.swiglu(gate_up, out)
            seen.append(out[row])
        assert torch.equal(seen[0], seen[1])
        assert torch.equal(seen[0], seen[2])


class NormContract(_Contract):
    epsilon = 1e-5

    @DTYPES
    @pytest.mark.parametrize("wide", [False, True], ids=["own", "wide"])
    @pytest.mark.parametrize("adds", [True, False], ids=["delta", "none"])
    def test_the_sum_stays_and_its_norm_comes_out(
        self, kernels: StepKernels, device: torch.device, dtype: torch.dtype, wide: bool, adds: bool
    ) -> None:
        """`wide`: weight and result in float32, as the last norm of the LLM has them."""
        drawn, width, result = Drawn(device, dtype), 96, FP32 if wide else dtype
        residual, delta = drawn.normal(3, width) * 3, drawn.normal(3, width) if adds else None
        weight, out = drawn.normal(width, dtype=result) + 1, drawn.empty(3, width, dtype=result)
        residual[1] *= 1e-4  # where epsilon matters
        before, own = residual.clone(), residual.clone()
        kernels.add_rms_norm(residual, delta, weight, self.epsilon, out)
        assert torch.equal(residual, before if delta is None else before + delta)
        numbers = residual.double()
        expected = numbers / (numbers.square().mean(-1, keepdim=True) + self.epsilon).sqrt() * weight.double()
        rounding = 2e-6 if result == FP32 else 5e-3
        torch.testing.assert_close(out.double(), expected, atol=rounding, rtol=rounding)
        plain = drawn.empty(3, width, dtype=result)
        PlainKernels().add_rms_norm(own, delta, weight, self.epsilon, plain)
        assert torch.equal(own, residual)
        torch.testing.assert_close(out, plain, atol=1e-6, rtol=2 * rounding)

    @DTYPES
    def test_a_row_is_the_same_in_every_company(
        self, kernels: StepKernels, device: torch.device, dtype: torch.dtype
    ) -> None:
        seen, weight = [], Drawn(device, dtype, seed=8).normal(96)
        for row in range(3):
            drawn, mine = Drawn(device, dtype, seed=row), Drawn(device, dtype, seed=9)
            residual, delta, out = drawn.normal(3, 96), drawn.normal(3, 96), drawn.empty(3, 96)
            residual[row], delta[row] = mine.normal(96), mine.normal(96)
            kernels.add_rms_norm(residual, delta, weight, self.epsilon, out)
            seen.append(torch.cat((residual[row], out[row])))
        assert torch.equal(seen[0], seen[1])
        assert torch.equal(seen[0], seen[2])
