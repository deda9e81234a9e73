"""Who may send files, and who may see and use an upload."""

from __future__ import annotations

from amgs.accounts.models import Lab
from amgs.core.base import Actor
from amgs.core.policy import rule
from amgs.files.models import Upload
from curation.roles import ACTS


@rule("files.upload.open")
def _open(actor: Actor, lab: Lab | None) -> str | None:
    # Without a lab the file is the sender's own until it is added to a dataset of theirs.
    own = bool(actor.lab_ids) if lab is None else lab.pk in actor.lab_ids
    return ACTS["upload"].refusal(actor.roles, own_lab=own)


@rule("files.upload.use")
def _use(actor: Actor, upload: Upload) -> str | None:
    # Whoever knows the id of an upload without an owner opened it: ids cannot be guessed.
    if "system" in actor.roles or (upload.user_id is None and upload.lab_id is None):
        return None
    if upload.lab_id is not None:
        mine = upload.lab_id in actor.lab_ids
    else:
        mine = upload.user is not None and upload.user.public_id == actor.public_id
    return None if mine else "This upload belongs to somebody else."
