import pytest
from recorded_programs import ASYNC, SCAN

from videobert_jax.planning import hlo
from videobert_jax.planning.chips import DEVICES
from videobert_jax.planning.estimate import estimate

V5E = DEVICES["TPU v5 lite"]
SQUARE = [(x, y, 0) for y in range(2) for x in range(2)]


def test_the_body_of_a_loop_counts_as_often_as_it_runs() -> None:
    found = estimate(hlo.parse(SCAN), V5E, SQUARE)
    assert found.compute == pytest.approx(2 * (15065 + 1000) / V5E.clock, rel=1e-3)
    layer = 128 * 384 * 2 + 2 * 16 * 512 * 384 * 2 + 16 * 512 * 4
    assert found.bytes_moved == pytest.approx(2 * layer + 16 * 512 * 128 * 2, abs=100)
    assert found.memory == found.bytes_moved / V5E.bandwidth
    assert found.exposed == 0.0
    assert not found.collectives
    assert max(found.parts, key=found.parts.__getitem__) == "backward encoder/layers/mlp/wi/dot_general"


def test_a_collective_overlaps_the_instructions_between_its_start_and_end() -> None:
    """The all-gather takes longer than the product it overlaps; the two others are synchronous."""
    found = estimate(hlo.parse(ASYNC), V5E, SQUARE)
    gather, reduce, scatter = (found.collectives[kind] for kind in ("all-gather", "all-reduce", "reduce-scatter"))
    assert (gather.count, gather.bytes, gather.sent) == (1, 1024 * 4096 * 2, 768 * 4096 * 2)
    product = 15030 / V5E.clock
    assert gather.seconds > product
    assert found.exposed == pytest.approx(gather.seconds - product + reduce.seconds + scatter.seconds)
    assert found.compute == pytest.approx(product)
    assert found.seconds == pytest.approx(found.compute + found.exposed)


def test_users_of_a_collective_wait_for_it() -> None:
    """Even if no other collective needs the links."""
    kept = [x for x in ASYNC.splitlines() if "%reduce.0 =" not in x and "ROOT %scattered" not in x]
    text = "\n".join(kept).replace("  %async-collective-done", "  ROOT %async-collective-done")
    found = estimate(hlo.parse(text), V5E, SQUARE)
    assert found.exposed == pytest.approx(found.collectives["all-gather"].seconds - 15030 / V5E.clock)


def test_a_collective_shorter_than_the_product_costs_nothing() -> None:
    found = estimate(
        hlo.parse(ASYNC.replace('"estimated_cycles":"15030"', '"estimated_cycles":"1503000"')), V5E, SQUARE
    )
    assert found.exposed == pytest.approx(
        found.collectives["all-reduce"].seconds + found.collectives["reduce-scatter"].seconds
    )


def test_where_more_is_moved_than_computed_memory_bounds() -> None:
    found = estimate(hlo.parse(SCAN.replace('"15065"', '"1"').replace('"1000"', '"1"')), V5E, SQUARE)
    assert found.seconds == found.memory > found.compute


def test_a_kernel_takes_as_long_as_its_products_or_its_bytes() -> None:
    text = """\
HloModule jit_f

ENTRY %main (x: f32[1024]) -> f32[1024] {
  %x = f32[1024]{0} parameter(0)
  ROOT %call = f32[1024]{0} custom-call(%x), custom_call_target="tpu_custom_call", backend_config={
"cost_estimate":{"flops":"FLOPS","transcendentals":"5","bytes_accessed":"7"}}
}
"""
    found = [estimate(hlo.parse(text.replace("FLOPS", flops)), V5E, SQUARE).compute for flops in ("197000000000", "9")]
    assert found == pytest.approx([2e-3, 2 * 4096 / V5E.bandwidth])
    silent = text.replace('"cost_estimate":{"flops":"FLOPS","transcendentals":"5","bytes_accessed":"7"}', "")
    assert [estimate(hlo.parse(each), V5E, SQUARE).silent_kernels for each in (text.replace("FLOPS", "9"), silent)] == [
        0,
        1,
    ]
