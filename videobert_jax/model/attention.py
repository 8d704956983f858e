"""Multi-head attention over packed sequences, with a kernel for the hardware."""

import dataclasses
import functools
from collections.abc import Callable

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
from jax.experimental.pallas.ops.tpu.splash_attention import splash_attention_kernel as splash
from jax.experimental.pallas.ops.tpu.splash_attention import splash_attention_mask as splash_mask
from jax.sharding import PartitionSpec as P

from videobert_jax.config import ModelConfig
from videobert_jax.errors import ConfigError
from videobert_jax.model.kernels.partition import ROWS, joined_by_positions
from videobert_jax.model.kernels.row_attention import LANES, LONGEST, row_attention
from videobert_jax.model.layers import SplitDense, rotated, row_parallel
from videobert_jax.model.remat import SAVED, saved

GPUS = ("gpu", "cuda")  # platform names
HEADS = "tensor"  # mesh axis over which a training run splits heads
LARGEST_BLOCK = 512  # positions; the scores of a block, float32 [block, block], fit in on-chip memory


@flax.struct.dataclass
class Mask:
    """A query sees the keys of its sequence and, if `causal`, none at a later index than its own.

    Attributes:
      query_ids: int32 [B, Q], the sequence of each query.
      key_ids: int32 [B, K], the sequence of each key; None: the same as `query_ids` (self-attention).
      causal: static.
    """

    query_ids: jax.Array
    key_ids: jax.Array | None = None
    causal: bool = flax.struct.field(pytree_node=False, default=False)

    def visible(self) -> jax.Array:
        """Returns bool [B, Q, K]."""
        key_ids = self.query_ids if self.key_ids is None else self.key_ids
        same = self.query_ids[:, :, None] == key_ids[:, None, :]
        return same & jnp.tri(same.shape[1], same.shape[2], dtype=bool)[None] if self.causal else same


class SelfAttention(nn.Module):
    """Self-attention, without dropout on its probabilities: fused kernels do not support it."""

    config: ModelConfig

    @nn.compact
    def __call__(self, x: jax.Array, positions: jax.Array, mask: Mask) -> jax.Array:
        """Maps x [B, S, D] at `positions` int32 [B, S] to [B, S, D]."""
        config, x = self.config, joined_by_positions(x)
        channels = x.shape[2] // config.num_heads
        products = SplitDense(config, x.shape[2], (channels**-0.5, 1.0, 1.0), name="qkv")(x)
        query, key, value = (product.reshape(*x.shape[:2], config.num_heads, channels) for product in products)
        if config.positions == "rotary":
            query, key = rotated(query, positions), rotated(key, positions)
        mixed = attend(query, key, value, mask, config.attention)
        return row_parallel(config, saved(mixed.reshape(x.shape)), "out")


class CrossAttention(nn.Module):
    """Attention from one array of positions to another, without dropout on its probabilities."""

    config: ModelConfig

    @nn.compact
    def __call__(self, x: jax.Array, memory: jax.Array, mask: Mask) -> jax.Array:
        """Maps x [B, Q, D] to [B, Q, D], reading memory [B, K, D]; zeros for a query that sees no key."""
        config, x, memory = self.config, joined_by_positions(x), joined_by_positions(memory)
        channels = x.shape[2] // config.num_heads
        (query,) = SplitDense(config, x.shape[2], (channels**-0.5,), name="query")(x)
        key, value = SplitDense(config, x.shape[2], (1.0, 1.0), name="key_value")(memory)
        heads = (config.num_heads, channels)
        query, key, value = (y.reshape(*y.shape[:2], *heads) for y in (query, key, value))
        mixed = attend(query, key, value, mask, "xla")  # the others support no keys of their own
        return row_parallel(config, saved(mixed.reshape(x.shape)), "out")


def attend(query: jax.Array, key: jax.Array, value: jax.Array, mask: Mask, implementation: str) -> jax.Array:
    """Masked attention, [B, Q, H, C], with unscaled scores and a float32 softmax.

    Padding, id 0, is one more sequence: in self-attention it attends to itself. A query that sees no key gives 0.

    Args:
      query: [B, Q, H, C].
      key, value: [B, K, H, C].
      mask: all implementations except "xla" support only bidirectional self-attention, `Mask(ids)`.
      implementation: "xla" on any hardware; "rows", `row_attention`, or its TPU kernel "pallas"; "splash" for longer
        rows on TPUs; "cudnn" on GPUs in bfloat16; "auto": `best` for this process's hardware, or "xla" if the mask
        needs it.

    Raises ConfigError if the implementation does not support the mask.
    """
    special = " and ".join(["causal"] * mask.causal + ["for cross-attention"] * (mask.key_ids is not None))
    if implementation == "auto":
        implementation = "xla" if special else best(jax.default_backend(), query.shape[1], str(query.dtype))
    if special and implementation != "xla":
        raise ConfigError(
            f"model.attention is {implementation!r}, which supports only bidirectional self-attention, Mask(ids); "
            f"this mask is {special}, which only xla supports: choose xla or auto"
        )
    if implementation in KERNELS:
        return _by_kernel(implementation, query, key, value, mask.query_ids)
    visible = mask.visible()[:, None]
    mixed = jax.nn.dot_product_attention(
        saved(query),
        saved(key),
        saved(value),
        mask=visible,
        scale=1.0,
        implementation="cudnn" if implementation == "cudnn" else "xla",
    )
    if mask.key_ids is None:
        return mixed
    # For a query that sees no key, JAX returns the mean of all values, even those of other sequences.
    return jnp.where(jnp.any(visible, axis=3)[:, 0, :, None, None], mixed, 0)


def best(platform: str, length: int, dtype: str) -> str:
    """Returns the fastest implementation for a JAX platform, rows of `length` positions and activations of `dtype`."""
    if platform == "tpu" and length % LANES == 0:
        return "pallas" if length <= LONGEST else "splash"
    if platform in GPUS and dtype == "bfloat16":
        return "cudnn"
    return "rows" if platform == "cpu" else "xla"


def resolved(config: ModelConfig, platform: str, length: int) -> ModelConfig:
    """Replaces attention "auto" with the implementation for `platform`, which may differ from this process's.

    Raises ConfigError if the config names one that does not support `platform` or rows of `length` positions.
    """
    name, tpu, whole = config.attention, platform == "tpu", length % LANES == 0
    if name == "auto":
        return dataclasses.replace(config, attention=best(platform, length, config.dtype))
    there, need = {
        "pallas": (tpu and whole and length <= LONGEST, f"a TPU, and a multiple of {LANES} positions up to {LONGEST}"),
        "splash": (tpu and whole, f"a TPU, and a multiple of {LANES} positions"),
        "cudnn": (platform in GPUS and config.dtype == "bfloat16", "a GPU, and model.dtype bfloat16"),
    }.get(name, (True, ""))
    if not there:
        raise ConfigError(
            f"model.attention is {name!r}, which needs {need}; this run has rows of {length} positions, in "
            f"{config.dtype}, on {platform!r}: choose auto"
        )
    return config


def _by_kernel(name: str, query: jax.Array, key: jax.Array, value: jax.Array, sequence_ids: jax.Array) -> jax.Array:
    """Runs one of `KERNELS` on [B, S, H, C]; under a mesh, each device runs it on its own rows and heads."""
    kernel, order = KERNELS[name]
    if not jax.sharding.get_abstract_mesh().empty:  # XLA's partitioner cannot split kernels, and splits loops badly
        by_head = P(*ROWS, HEADS)
        kernel = jax.shard_map(kernel, in_specs=(by_head, by_head, by_head, ROWS), out_specs=by_head, check_vma=False)
    back = tuple(order.index(axis) for axis in range(4))
    return kernel(*(x.transpose(order) for x in (query, key, value)), sequence_ids).transpose(back)


def _splash(query: jax.Array, key: jax.Array, value: jax.Array, sequence_ids: jax.Array) -> jax.Array:
    """Splash attention of one row: [H, S, C] arrays to [H, S, C]."""
    heads, length, _ = query.shape
    block = next(size for size in range(LARGEST_BLOCK, 0, -LANES) if length % size == 0)
    sizes = splash.BlockSizes(
        block_q=block,
        block_kv=block,
        block_q_dkv=block,
        block_kv_dkv=block,
        block_q_dq=block,
        block_kv_dq=block,
        # A minor dimension of 64 channels would fill half of the lanes, both in memory and in transfers.
        q_layout=splash.QKVLayout.SEQ_MINOR,
        k_layout=splash.QKVLayout.SEQ_MINOR,
        v_layout=splash.QKVLayout.SEQ_MINOR,
    )
    mask = splash_mask.MultiHeadMask([splash_mask.FullMask((length, length))] * heads)
    attention = splash.make_splash_mha_single_device(mask, block_sizes=sizes, residual_checkpoint_name=SAVED)
    return attention(query, key, value, segment_ids=splash.SegmentIds(q=sequence_ids, kv=sequence_ids))


# Name -> (function of query, key, value and sequence ids [B, S]; the order in which it takes the axes [B, S, H, C]).
KERNELS: dict[str, tuple[Callable[..., jax.Array], tuple[int, ...]]] = {
    "rows": (functools.partial(row_attention, pallas=False), (0, 2, 3, 1)),
    "pallas": (functools.partial(row_attention, pallas=True), (0, 2, 3, 1)),
    "splash": (jax.vmap(_splash), (0, 2, 1, 3)),
}
