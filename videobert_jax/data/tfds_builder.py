"""Publishes prepared videos as a TFDS dataset with a name, a version and a citation.

    builder = PreparedVideos("cache/prepared-0123456789ab", name="soups", description="Eighty ways to cook a soup.")
    builder.download_and_prepare()

Others open `<data_dir>/<name>/<version>` with `tfds.data_source(name, split=..., data_dir=...)`, without this package
and without TensorFlow. The tokenizer, the visual vocabulary and the id space are published with the records. Frames of
the videos are not, since their licence may forbid it.
"""

import pathlib
import re
import shutil
from collections.abc import Iterator
from typing import Any

import tensorflow_datasets as tfds

from videobert_jax.data.prepared import Prepared
from videobert_jax.data.records import fields


class PreparedVideos(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]  # untyped
    """Writes a prepared folder as a dataset, its records in the same order."""

    def __init__(
        self,
        prepared: str | pathlib.Path,
        *,
        name: str,
        version: str = "1.0.0",
        description: str,
        homepage: str | None = None,
        citation: str | None = None,
        data_dir: str | pathlib.Path | None = None,
    ) -> None:
        """Checks the arguments; `download_and_prepare` writes.

        Args:
          prepared: the folder that `launch/prepare.py` prints; FileNotFoundError if it is none.
          name: lowercase letters, digits and underscores; ValueError otherwise.
          version: three numbers, ValueError otherwise; increase it for other records, since others rely on it.
          description, homepage, citation: see `tfds.core.DatasetInfo`.
          data_dir: folder of datasets, by default that of TFDS.
        """
        if not re.fullmatch("[a-z][a-z0-9_]*", name):
            raise ValueError(f"name is {name!r}, expected lowercase letters, digits and underscores, as in 'my_videos'")
        self._prepared = Prepared(pathlib.Path(prepared))
        for path in (self._prepared.records, *self._beside):
            if not path.exists():
                raise FileNotFoundError(f"there is no {path}; name a folder that launch/prepare.py made")
        self.name = name
        self.VERSION = tfds.core.Version(version)
        self._about = {"description": description, "homepage": homepage, "citation": citation}
        self._records = tfds.builder_from_directory(self._prepared.records).info
        super().__init__(data_dir=data_dir, file_format="array_record")

    @property
    def _beside(self) -> tuple[pathlib.Path, ...]:
        prepared = self._prepared
        details = [prepared.details] if prepared.details.exists() else []
        return prepared.tokenizer, prepared.tree, *details, prepared.tokens_file, prepared.manifest

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self, features=self._records.features, disable_shuffling=True, **self._about
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        del dl_manager  # nothing is downloaded
        for source in self._beside:
            target = self.data_path / source.relative_to(self._prepared.folder)
            target.parent.mkdir(exist_ok=True)
            (shutil.copytree if source.is_dir() else shutil.copyfile)(source, target)
        return {split: self._generate_examples(split) for split in self._records.splits}

    def _generate_examples(self, split: str) -> Iterator[tuple[int, dict[str, Any]]]:
        for index, record in enumerate(self._prepared.source(split)):
            yield index, fields(record)
