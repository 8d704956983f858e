from recorded_programs import ASYNC, SCAN

from videobert_jax.planning import hlo
from videobert_jax.planning.traffic import moved

PRODUCT = 16 * 512 * 384 * 2  # bytes of the result of a layer of SCAN


def bytes_of(text: str, computation: str, name: str) -> int:
    module = hlo.parse(text)
    inside = module.computations[computation]
    return moved(module, inside, inside.instructions[name])


def test_of_stacked_weights_one_layer_is_read() -> None:
    """The operand on the chip is free; the counter, a scalar in another memory, too."""
    assert bytes_of(SCAN, "body", "fusion.1") == 128 * 384 * 2 + 4 + PRODUCT


def test_of_stacked_results_one_layer_is_written() -> None:
    """The second result stays on the chip."""
    assert bytes_of(SCAN, "body", "fusion.2") == PRODUCT + 4 + 16 * 512 * 4


def test_a_copy_to_the_chip_is_read_once() -> None:
    assert bytes_of(SCAN, "main", "copy-start") == 16 * 512 * 128 * 2
    assert bytes_of(SCAN, "main", "copy-done") == 0


def test_what_only_passes_on_moves_nothing() -> None:
    assert bytes_of(SCAN, "main", "state") == bytes_of(SCAN, "body", "w") == 0


def test_a_collective_beside_a_product_does_not_count_with_it() -> None:
    assert bytes_of(ASYNC, "main", "fusion") == 0


def test_of_custom_calls_only_kernels_move_bytes() -> None:
    call = """\
HloModule jit_f

ENTRY %main (x: f32[1024]) -> f32[1024] {
  %x = f32[1024]{0} parameter(0)
  ROOT %call = f32[1024]{0} custom-call(%x), custom_call_target="TARGET"
}
"""
    assert bytes_of(call.replace("TARGET", "tpu_custom_call"), "main", "call") == 2 * 4096
    assert bytes_of(call.replace("TARGET", "AllocateBuffer"), "main", "call") == 0
