"""Predictions and results as files: one module per download format."""

from models.exports.as_csv import write_csv
from models.exports.as_json import write_json
from models.exports.as_parquet import (
    StoredPredictions,
    read_predictions_parquet,
    write_predictions_parquet,
    written_through,
)

__all__ = [
    "StoredPredictions",
    "read_predictions_parquet",
    "write_csv",
    "write_json",
    "write_predictions_parquet",
    "written_through",
]
