"""Predictions and results as files: one module per download format."""

from models.exports.as_columns import read_columns, write_columns
from models.exports.as_csv import write_csv
from models.exports.as_json import write_json
from models.exports.as_parquet import (
    StoredPredictions,
    prediction_at,
    read_predictions_parquet,
    write_predictions_parquet,
    written_through,
)
from models.exports.as_xlsx import write_xlsx
from models.exports.by_hand import csv_with_corrections, parquet_with_corrections

__all__ = [
    "StoredPredictions",
    "csv_with_corrections",
    "parquet_with_corrections",
    "prediction_at",
    "read_columns",
    "read_predictions_parquet",
    "write_columns",
    "write_csv",
    "write_json",
    "write_predictions_parquet",
    "write_xlsx",
    "written_through",
]
