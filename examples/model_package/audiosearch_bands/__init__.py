"""A model for audiosearch: the mean and the maximum of each mel band."""

from pathlib import Path

from audiosearch.models.spec import ModelSpec, PackagedFile

FILE = PackagedFile("bands.tflite", license="Apache-2.0", folder=Path(__file__).parent)
MODEL = ModelSpec(name="bands", title="Bands", dimension=128, weights=FILE)
