import jax
import jax.numpy as jnp
import pytest
from recorded_programs import ASYNC, SCAN

from videobert_jax.planning import hlo
from videobert_jax.planning.hlo import Array


def test_an_instruction_of_the_tpu_compiler() -> None:
    fusion = hlo.parse(SCAN).computations["body"].instructions["fusion.1"]
    assert (fusion.opcode, fusion.operands, fusion.called) == ("fusion", ("x", "w", "i"), ("fused_product",))
    assert fusion.arrays == (Array(size=16 * 512 * 384 * 2, space=0),)
    assert fusion.cycles == 15065
    assert fusion.label == "jit(step)/transpose(jvp(Model))/encoder/while/body/closed_call/layers/mlp/wi/dot_general"


def test_a_tuple_of_arrays_in_several_memories() -> None:
    start = hlo.parse(SCAN).entry.instructions["copy-start"]
    size = 16 * 512 * 128 * 2
    assert start.arrays == (Array(size, space=1), Array(size, space=0), Array(4, space=2))


def test_a_loop_calls_its_condition_and_its_body() -> None:
    module = hlo.parse(SCAN)
    loop = module.entry.instructions["while"]
    assert loop.called == ("condition", "body")
    assert module.trips(loop) == 2
    assert module.entry.root.name == "result"
    assert module.devices == 4


def test_a_loop_with_another_condition_is_an_error() -> None:
    module = hlo.parse(SCAN.replace("direction=LT", "direction=NE"))
    with pytest.raises(ValueError, match=r"how often while runs: its condition condition has 1 constants .*\['NE'\]"):
        module.trips(module.entry.instructions["while"])


def test_users_and_parameters() -> None:
    beside = hlo.parse(ASYNC).computations["beside"]
    assert [x.name for x in beside.parameters] == ["q.1", "q.2", "q.3"]
    assert [x.name for x in beside.users["q.3"]] == ["square"]


def test_attributes_may_hold_line_breaks() -> None:
    """As those of Pallas kernels do."""
    text = """\
HloModule jit_f, num_partitions=4

ENTRY %main (x: f32[8]) -> f32[8] {
  %x = f32[8]{0} parameter(0)
  %call = f32[8]{0} custom-call(%x), custom_call_target="tpu_custom_call", frontend_attributes={kernel_metadata={
"xprof_metadata":"{}"
}}, backend_config={"custom_call_config":{"estimated_cycles":"7"}}
  ROOT %y = f32[8]{0} copy(%call)
}
"""
    assert hlo.parse(text).entry.instructions["call"].cycles == 7
    assert hlo.parse(text).entry.root.operands == ("call",)


def test_text_without_a_program_is_an_error() -> None:
    with pytest.raises(ValueError, match="no ENTRY computation; it begins with 'HloModule nothing'"):
        hlo.parse("HloModule nothing")


def test_a_scan_compiled_here_runs_as_often_as_it_is_long() -> None:
    """XLA's CPU compiler annotates the loop with its trip count; its text is otherwise parsed alike."""

    def scanned(x: jax.Array) -> jax.Array:
        return jax.lax.scan(lambda carry, w: (jnp.tanh(carry @ w), None), x[0], x)[0]

    module = hlo.parse(jax.jit(scanned).lower(jnp.ones((7, 8, 8))).compile().as_text())
    loops = [x for c in module.computations.values() for x in c.instructions.values() if x.opcode == "while"]
    assert [module.trips(loop) for loop in loops] == [7]
    assert module.devices == 1
