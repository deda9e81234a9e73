"""The verbs of the repository; one file per noun, all to be had from here."""

from amgs.repository.services.accepting import accept_version, ask_for_changes, take_in_again
from amgs.repository.services.datasets import (
    create_dataset,
    remark,
    update_version,
)
from amgs.repository.services.decisions import decide_version, submit_version
from amgs.repository.services.design import set_design
from amgs.repository.services.drafts import delete_draft, new_draft, restore_draft
from amgs.repository.services.embargo import set_embargo
from amgs.repository.services.labels import (
    Answers,
    answer_labels,
    confirm_labels,
    import_labels,
    redo_import,
    undo_import,
)
from amgs.repository.services.permissions import (
    give_permission,
    sign_permissions,
    take_back_permission,
)
from amgs.repository.services.pins import pin_remarks, reply
from amgs.repository.services.recordings import add_recording, remove_recording

__all__ = [
    "Answers",
    "accept_version",
    "add_recording",
    "answer_labels",
    "ask_for_changes",
    "confirm_labels",
    "create_dataset",
    "decide_version",
    "delete_draft",
    "give_permission",
    "import_labels",
    "new_draft",
    "pin_remarks",
    "redo_import",
    "remark",
    "remove_recording",
    "reply",
    "restore_draft",
    "set_design",
    "set_embargo",
    "sign_permissions",
    "submit_version",
    "take_back_permission",
    "take_in_again",
    "undo_import",
    "update_version",
]
