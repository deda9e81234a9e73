"""The people who made a dataset, by name, ORCID iD and role."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("repository", "0006_leaving")]

    operations = [
        migrations.AddField("version", "contributors", models.JSONField(default=list)),
    ]
