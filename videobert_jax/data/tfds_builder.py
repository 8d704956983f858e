"""Prepared videos as a TFDS data set of one's own: with a name, a version and a citation, for others to load.

    builder = PreparedVideos("cache/prepared-0123456789ab", name="soups", description="Eighty ways to cook a soup.")
    builder.download_and_prepare()

Others open `<data_dir>/<name>/<version>` with `tfds.data_source(name, split=..., data_dir=...)`, without this package
and without TensorFlow. Records alone would mean little to them, so the tokenizer, the visual vocabulary and the id
space lie beside; what shows frames of the videos does not, since not everybody may pass these on.
"""

import pathlib
import re
import shutil
from collections.abc import Iterator
from typing import Any

import tensorflow_datasets as tfds

from videobert_jax.data.prepared import Prepared
from videobert_jax.data.records import SCHEMA_VERSION


class PreparedVideos(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]  # untyped
    """Writes a prepared folder as a data set, its records in the same order."""

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
        """Only looks at what there is; `download_and_prepare` writes.

        Args:
          prepared: the folder that `launch/prepare.py` names at its end.
          name: small letters, digits and underscores.
          version: three numbers. What has been published under one stays as it is: for other records raise it.
          description: what the videos show, and how and by whom they were collected.
          homepage: where to read more.
          citation: in BibTeX.
          data_dir: folder of data sets, by default that of TFDS.

        Raises:
          FileNotFoundError: if `prepared` is not such a folder.
          ValueError: for a name or a version that TFDS would not find again.
        """
        if not re.fullmatch("[a-z][a-z0-9_]*", name):
            raise ValueError(f"name is {name!r}, expected small letters, digits and underscores, as in 'my_videos'")
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
        """What of the prepared folder lies beside the published records."""
        prepared = self._prepared
        return prepared.tokenizer, prepared.tree, prepared.tokens_file, prepared.manifest

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
        source = self._prepared.source(split)
        for index in range(len(source)):
            yield index, {"schema_version": SCHEMA_VERSION, **vars(source[index])}
