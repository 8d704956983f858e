"""Compares the visual vocabulary's hierarchical k-means with recursive scikit-learn.

    python benchmarks/vocabulary.py --points=40000 --width=256 --depth=3

Both cluster the same synthetic float32 features from one file. `clustered` features come from a tree of Gaussians with
the branching of the vocabulary, unequal frequencies, and noise. `smooth` features are the output of a random ReLU
network for 48 latent variables; they have no clusters, so Lloyd's algorithm converges slowly. Ours reads rows from disk
as needed, within --memory. The peer is the common implementation: load the file, then run
`sklearn.cluster.KMeans(n_init=1)` for each node with default limits. The time includes reading the file. Each runs
in a separate process, one after the other, so that peaks of resident memory are separate. The error is the mean squared
distance of a feature to the leaf that it reaches by descent.
"""

import concurrent.futures
import multiprocessing
import pathlib
import resource
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator

import numpy as np
from absl import app, flags

from videobert_jax.visual_words.disk_array import RowFile, write_rows
from videobert_jax.visual_words.kmeans import Tree, fit_tree

POINTS = flags.DEFINE_integer("points", 200_000, "features")
WIDTH = flags.DEFINE_integer("width", 1024, "dimensions of a feature")
BRANCHING = flags.DEFINE_integer("branching", 12, "children of a node, k")
DEPTH = flags.DEFINE_integer("depth", 4, "levels, d")
KIND = flags.DEFINE_enum("features", "clustered", ["clustered", "smooth"], "distribution of the features")
NOISE = flags.DEFINE_float("noise", 0.5, "standard deviation of the noise of clustered features")
MEMORY = flags.DEFINE_integer("memory", 512, "MiB that ours may use for points")
BLOCK = 8192  # rows per block
Fit = Callable[
    [pathlib.Path, int, int, int, int], tuple[int, Callable[[], float]]
]  # path, width, k, d, bytes -> leaves, error


def main(argv: list[str]) -> None:
    """Prints the table and the ratios."""
    del argv
    try:
        import sklearn
    except ImportError:
        raise SystemExit("the peer is missing: pip install scikit-learn") from None
    print(f"{POINTS.value:,} x {WIDTH.value} {KIND.value} features, k = {BRANCHING.value}, d = {DEPTH.value}\n")
    print("| clustering | seconds | processor seconds | leaves | error | peak memory, MiB |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "features"
        width, tree = WIDTH.value, (BRANCHING.value, DEPTH.value)
        make = smooth(width) if KIND.value == "smooth" else clustered(width, *tree, NOISE.value)
        write_rows(path, (make(min(BLOCK, POINTS.value - done)) for done in range(0, POINTS.value, BLOCK)), WIDTH.value)
        names = {"ours": ours, f"scikit-learn {sklearn.__version__}": peer}
        results = [measure(name, fit, path) for name, fit in names.items()]
    (seconds, processor, error), (its_seconds, its_processor, its_error) = results
    print(f"\nit / ours: seconds {its_seconds / seconds:.1f}, processor seconds {its_processor / processor:.1f}")
    print(f"ours / it: error {error / its_error:.3f}")


def clustered(width: int, branching: int, depth: int, noise: float) -> Callable[[int], np.ndarray]:
    """A generator of float32 [n, width]: sums of one offset per level, of decreasing scale, and noise."""
    rng = np.random.default_rng(0)
    offsets = [rng.standard_normal((branching**level, width), np.float32) * 0.7**level for level in range(1, depth + 1)]

    def make(count: int) -> np.ndarray:
        leaves = (branching**depth * rng.random(count) ** 1.5).astype(int)  # the first ones are more frequent
        block = rng.standard_normal((count, width), np.float32) * np.float32(noise)
        for level, offset in enumerate(offsets, 1):
            block += offset[leaves // branching ** (depth - level)]
        return block

    return make


def smooth(width: int, causes: int = 48, hidden: int = 512, modes: int = 400) -> Callable[[int], np.ndarray]:
    """A generator of nonnegative float32 [n, width]: two layers of a random network over latent variables."""
    rng = np.random.default_rng(0)
    scales = np.arange(1, causes + 1) ** -0.5
    means, shares = rng.standard_normal((modes, causes)), rng.dirichlet(np.full(modes, 0.7))
    first = rng.standard_normal((causes, hidden)) / np.linalg.norm(scales)
    second = rng.standard_normal((hidden, width)) / np.sqrt(hidden / 2)

    def make(count: int) -> np.ndarray:
        own = (means[rng.choice(modes, count, p=shares)] + 0.6 * rng.standard_normal((count, causes))) * scales
        return np.maximum(np.maximum(own @ first, 0) @ second - 0.5, 0)

    return make


def measure(name: str, fit: Fit, path: pathlib.Path) -> tuple[float, float, float]:
    """Prints a row; returns seconds, processor seconds and error."""
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, spawn) as pool:
        arguments = (fit, path, WIDTH.value, BRANCHING.value, DEPTH.value, MEMORY.value << 20)
        seconds, processor, peak, leaves, error = pool.submit(measured, *arguments).result()
    print(f"| {name} | {seconds:.1f} | {processor:.1f} | {leaves:,} | {error:.2f} | {peak:,.0f} |", flush=True)
    return seconds, processor, error


def measured(
    fit: Fit, path: pathlib.Path, width: int, branching: int, depth: int, memory: int
) -> tuple[float, float, float, int, float]:
    """Seconds, processor seconds, peak memory of this process in MiB, leaves and error of `fit`."""
    start, processor = time.perf_counter(), time.process_time()
    leaves, error = fit(path, width, branching, depth, memory)
    seconds, processor = time.perf_counter() - start, time.process_time() - processor
    return seconds, processor, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, leaves, error()


def ours(path: pathlib.Path, width: int, branching: int, depth: int, memory: int) -> tuple[int, Callable[[], float]]:
    """Fits a tree as `prepare` does; returns the number of leaves and a function for the error."""
    points = RowFile(path, width)
    tree = fit_tree(points, branching, depth, seed=0, memory=memory)
    return tree.size, lambda: float(np.mean(np.concatenate(list(squared_errors(tree, points)))))


def squared_errors(tree: Tree, points: RowFile) -> Iterator[np.ndarray]:
    """Yields float32 [m] per block: squared distances to the centroid of the leaf reached by descent."""
    centroids = tree.centroids
    for start in range(0, points.shape[0], BLOCK):
        block = points[np.arange(start, min(start + BLOCK, points.shape[0]))]
        yield np.sum((block - centroids[tree.assign(block)]) ** 2, axis=1)


def peer(path: pathlib.Path, width: int, branching: int, depth: int, memory: int) -> tuple[int, Callable[[], float]]:
    """Fits scikit-learn node by node; the nearest centres at each level are those of a descent."""
    del memory  # it has no such setting
    from sklearn.cluster import KMeans

    warnings.simplefilter("ignore")  # of nodes with fewer distinct points than children
    points = np.fromfile(path, np.float32).reshape(-1, width)
    level, total = [np.arange(len(points))], 0.0
    for number in range(depth):
        parents, level = level, []
        for rows in parents:
            model = KMeans(min(branching, len(rows)), n_init=1, random_state=0).fit(points[rows])
            level += [rows[model.labels_ == label] for label in np.unique(model.labels_)]
            total += model.inertia_ if number == depth - 1 else 0.0
    return len(level), lambda: total / len(points)


if __name__ == "__main__":
    app.run(main)
