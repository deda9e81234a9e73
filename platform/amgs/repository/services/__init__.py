"""The verbs of the repository; one file per noun, all to be had from here."""

from amgs.repository.services.datasets import (
    create_dataset,
    remark,
    sign_permissions,
    update_version,
)
from amgs.repository.services.decisions import decide_version, submit_version
from amgs.repository.services.design import set_design
from amgs.repository.services.labels import (
    Answers,
    answer_labels,
    confirm_labels,
    import_labels,
    redo_import,
    undo_import,
)
from amgs.repository.services.recordings import add_recording, remove_recording

__all__ = [
    "Answers",
    "add_recording",
    "answer_labels",
    "confirm_labels",
    "create_dataset",
    "decide_version",
    "import_labels",
    "redo_import",
    "remark",
    "remove_recording",
    "set_design",
    "sign_permissions",
    "submit_version",
    "undo_import",
    "update_version",
]
