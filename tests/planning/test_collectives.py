import pytest
from recorded_programs import ASYNC

from videobert_jax.planning import collectives, hlo
from videobert_jax.planning.chips import DEVICES
from videobert_jax.planning.collectives import Collective

V5E = DEVICES["TPU v5 lite"]
GATHERED = 1024 * 4096 * 2
TORUS = [(x, y, 0) for y in range(16) for x in range(16)]  # v5e:16x16
SQUARE = [(x, y, 0) for y in range(2) for x in range(2)]  # v5e:2x2


def found(name: str, text: str = ASYNC) -> Collective | None:
    module = hlo.parse(text)
    return collectives.find(module, module.entry, module.entry.instructions[name])


def test_a_collective_is_found_only_where_it_starts() -> None:
    assert found("async-collective-start") == Collective("all-gather", GATHERED, (0, 1, 2, 3), "channel_id=138")
    assert found("fusion") is None
    assert found("async-collective-done") is None
    module = hlo.parse(ASYNC)
    ends = {name: collectives.ended_by(module, x) for name, x in module.entry.instructions.items()}
    assert {name: key for name, key in ends.items() if key} == {"async-collective-done": "channel_id=138"}


def test_a_slice_of_an_all_reduce_is_a_reduce_scatter() -> None:
    assert found("scattered") == Collective("reduce-scatter", 1024 * 1024 * 4, (0, 1, 2, 3))


@pytest.mark.parametrize(
    ("notation", "group"),
    [
        ("replica_groups={{0,1},{2,3}}", (0, 1)),
        ("replica_groups={}", (0, 1, 2, 3)),
        ("replica_groups=[2,2]<=[4]", (0, 1)),
        ("replica_groups=[2,2]<=[2,2]T(1,0)", (0, 2)),
        ("replica_groups=mesh['a'=2,'b'=2] {'b'}", (0, 1)),
        ("replica_groups=mesh['a'=2,'b'=2] {'a'}", (0, 2)),
        ("replica_groups=mesh['a'=2,'b'=2] {'a','b'}", (0, 1, 2, 3)),
        ("replica_groups=mesh['a'=2,'b'=1,'c'=2], device_ids=([2,2]T(1,0)) {'a'}", (0, 1)),
        ("replica_groups=mesh['a'=2,'b'=1,'c'=2], device_ids=([2,2]T(1,0)) {'c'}", (0, 2)),
    ],
)
def test_groups_in_all_notations(notation: str, group: tuple[int, ...]) -> None:
    collective = found("reduce.0", ASYNC.replace("replica_groups={{0,1},{2,3}}", notation))
    assert collective and collective.group == group


def test_an_unknown_notation_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"cannot read the groups of 4 devices of reduce\.0: .*mesh\['a'=8\]"):
        found("reduce.0", ASYNC.replace("replica_groups={{0,1},{2,3}}", "replica_groups=mesh['a'=8] {'a'}"))


def test_a_permutation_between_two() -> None:
    text = """\
HloModule jit_f, num_partitions=4

ENTRY %main (x: f32[1024]) -> f32[1024] {
  %x = f32[1024]{0} parameter(0)
  %go = (f32[1024]{0}, f32[1024]{0}, u32[]{:S(2)}, u32[]{:S(2)}) collective-permute-start(%x), channel_id=1, source_target_pairs={{0,1},{1,2},{2,3},{3,0}}
  ROOT %gone = f32[1024]{0} collective-permute-done(%go)
}
"""  # noqa: E501
    assert found("go", text) == Collective("collective-permute", 4096, (0, 1), "go")
    assert found("gone", text) is None


@pytest.mark.parametrize(
    ("kind", "sent"),
    [("all-reduce", 2 * 3 / 4), ("all-gather", 3 / 4), ("reduce-scatter", 3 / 4), ("collective-permute", 1.0)],
)
def test_bytes_that_leave_a_device(kind: str, sent: float) -> None:
    assert Collective(kind, 1000, (0, 1, 2, 3)).sent == 1000 * sent


def test_links_of_a_group() -> None:
    """A device has one link in a line, two in a ring, four in a torus; a hop takes a microsecond."""
    size = 10**9
    gathered = Collective("collective-permute", size, tuple(range(4)))
    assert collectives.seconds(gathered, SQUARE, V5E) == pytest.approx(size / (2 * V5E.link) + 2e-6)
    row = Collective("collective-permute", size, tuple(range(16)))
    assert collectives.seconds(row, TORUS, V5E) == pytest.approx(size / (2 * V5E.link) + 8e-6)
    everyone = Collective("collective-permute", size, tuple(range(256)))
    assert collectives.seconds(everyone, TORUS, V5E) == pytest.approx(size / (4 * V5E.link) + 16e-6)
