"""Compiled programs: the persistent cache, and memory use."""

import pathlib

import jax
from jax.experimental.compilation_cache import compilation_cache


def enable_cache(directory: pathlib.Path) -> None:
    """Caches all programs compiled from now on in `directory`."""
    jax.config.update("jax_compilation_cache_dir", str(directory.absolute()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    compilation_cache.reset_cache()  # JAX ignores the setting once it has compiled without a cache


def memory(compiled: jax.stages.Compiled) -> str:
    """The memory of the program on each device, as text."""
    sizes = compiled.memory_analysis()
    if sizes is None:
        return "memory unknown on this platform"
    held, temporary = (size / 2**20 for size in (sizes.argument_size_in_bytes, sizes.temp_size_in_bytes))
    return f"{held + temporary:,.0f} MiB on each device ({held:,.0f} state and batch, {temporary:,.0f} temporary)"
