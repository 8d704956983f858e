"""Compiled programs: kept from run to run, and their memory known before the first step."""

import pathlib

import jax
from jax.experimental.compilation_cache import compilation_cache


def enable_cache(directory: pathlib.Path) -> None:
    """Keeps every program compiled from now on in `directory`, so that the same program is never compiled twice."""
    jax.config.update("jax_compilation_cache_dir", str(directory.absolute()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    compilation_cache.reset_cache()  # a process that has compiled something without a cache would not look again


def memory(compiled: jax.stages.Compiled) -> str:
    """What the program holds on each device, in words."""
    sizes = compiled.memory_analysis()
    if sizes is None:
        return "memory unknown on this platform"
    held, temporary = (size / 2**20 for size in (sizes.argument_size_in_bytes, sizes.temp_size_in_bytes))
    return f"{held + temporary:,.0f} MiB on each device ({held:,.0f} state and batch, {temporary:,.0f} temporary)"
