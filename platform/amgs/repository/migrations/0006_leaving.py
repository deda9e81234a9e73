"""What versions, permissions and leaving need; what is published keeps its design as it is now."""

from django.db import migrations, models


def _sheets_into_versions(apps, schema_editor):
    label_import = apps.get_model("repository", "LabelImport")
    version = apps.get_model("repository", "Version")
    through = label_import.versions.through
    rows = []
    for dataset, pk in label_import.objects.exclude(status="undone").values_list("dataset", "pk"):
        for held in version.objects.filter(dataset=dataset).values_list("pk", flat=True):
            rows.append(through(labelimport_id=pk, version_id=held))
    through.objects.bulk_create(rows, batch_size=500)


def _freeze_designs(apps, schema_editor):
    from amgs.repository.frozen import gather

    version = apps.get_model("repository", "Version")
    for row in version.objects.filter(state__in=("published", "withdrawn", "retracted")):
        row.design = gather(
            row.dataset_id, row.pk, lambda name: apps.get_model("repository", name).objects
        )
        row.save(update_fields=["design"])


def _digest_texts(apps, schema_editor):
    from curation.permissions import wordings

    permission = apps.get_model("repository", "Permission")
    for wording in wordings():
        for text in wording.texts:
            permission.objects.filter(kind=text.kind, text_version=wording.key).update(
                text_digest=text.digest
            )


class Migration(migrations.Migration):
    dependencies = [("repository", "0005_citing_and_finding")]

    operations = [
        migrations.AddField("version", "train_under_embargo", models.BooleanField(default=False)),
        migrations.AddField("version", "design", models.JSONField(default=dict)),
        migrations.AddField("version", "deleted_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField(
            "version", "files_deleted_at", models.DateTimeField(blank=True, null=True)
        ),
        migrations.AddField(
            "permission", "text_digest", models.CharField(blank=True, max_length=64)
        ),
        migrations.AddField("permission", "right_to_share", models.BooleanField(default=False)),
        migrations.AddField(
            "labelimport",
            "versions",
            models.ManyToManyField(related_name="sheets", to="repository.version"),
        ),
        # A draft may read a file anew that a published version holds as it is.
        migrations.RemoveConstraint("labelimport", "labels_read_once"),
        *(
            migrations.AddField(noun, "dropped", models.BooleanField(default=False))
            for noun in ("group", "cage", "animal", "observation")
        ),
        migrations.RunPython(_sheets_into_versions, migrations.RunPython.noop),
        migrations.RunPython(_freeze_designs, migrations.RunPython.noop),
        migrations.RunPython(_digest_texts, migrations.RunPython.noop),
    ]
