"""Studies can be deleted and brought back; secrets of webhooks are sealed in the database."""

from collections.abc import Callable
from typing import Any

from django.db import migrations, models

import amgs.scoring.sealing

FIELDS = (("Webhook", ("secret",)), ("WebhookSecret", ("secret", "previous")))
AT_ONCE = 500


def _write(apps: Any, change: Callable[[str], str]) -> None:
    # The fields are plain texts in this state, so that they are read and written as they lie there.
    for name, fields in FIELDS:
        model, last = apps.get_model("scoring", name), 0
        while rows := list(model.objects.filter(pk__gt=last).order_by("pk")[:AT_ONCE]):
            for row in rows:
                for field in fields:
                    if held := getattr(row, field):
                        setattr(row, field, change(held))
            model.objects.bulk_update(rows, fields)
            last = rows[-1].pk


def seal_all(apps: Any, editor: Any) -> None:
    """Seal every secret."""
    _write(apps, amgs.scoring.sealing.seal)


def open_all(apps: Any, editor: Any) -> None:
    """Write every secret as it is; one that no key opens becomes empty."""
    _write(apps, amgs.scoring.sealing.opened)


class Migration(migrations.Migration):
    dependencies = [
        ("scoring", "0005_extras_and_corrections"),
    ]

    operations = [
        migrations.AddField(
            model_name="study",
            name="deleted_at",
            field=models.DateTimeField(db_index=True, null=True),
        ),
        migrations.AlterField("webhook", "secret", models.TextField(blank=True)),
        migrations.AlterField("webhooksecret", "previous", models.TextField(blank=True)),
        migrations.AlterField("webhooksecret", "secret", models.TextField()),
        migrations.RunPython(seal_all, open_all),
        migrations.AlterField("webhook", "secret", amgs.scoring.sealing.SealedField(blank=True)),
        migrations.AlterField(
            "webhooksecret", "previous", amgs.scoring.sealing.SealedField(blank=True)
        ),
        migrations.AlterField("webhooksecret", "secret", amgs.scoring.sealing.SealedField()),
    ]
