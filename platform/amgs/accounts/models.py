"""People, labs, who belongs where, which roles they hold, and their API tokens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.utils.functional import cached_property

from amgs.core import vocabulary
from amgs.core.base import PublicIdField, Row


class Mail(models.TextChoices):
    """How often a person wants mail about what happened."""

    DAILY = "daily", "once a day, if something happened"
    AT_ONCE = "at_once", "at once, one mail each"
    NEVER = "never", "never; I look at the inbox"


class UserManager(BaseUserManager["User"]):
    """Makes people; the e-mail address is the login."""

    def create_user(self, email: str, password: str | None = None, **fields: object) -> User:
        """Make a person who may sign in."""
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save()
        return user

    def create_superuser(self, email: str, password: str, **fields: object) -> User:
        """Make an administrator of the installation."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        """Find a person by e-mail address, whatever its case."""
        return self.get(email__iexact=username)


class User(AbstractBaseUser, PermissionsMixin):
    """A person. The public id is what everybody else sees of the row."""

    public_id = PublicIdField()
    email = models.EmailField(unique=True)
    full_name = models.CharField(max_length=200, blank=True)
    # An ORCID iD is sixteen digits in four groups; the last may be an X.
    orcid = models.CharField(max_length=19, unique=True, null=True, blank=True)
    mail = models.CharField(max_length=10, choices=Mail.choices, default=Mail.DAILY)
    # When the last daily mail was sent.
    digest_at = models.DateTimeField(null=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[UserManager] = UserManager()
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """How other people read this person's name; never the e-mail address."""
        return self.full_name or f"Member {self.public_id[-6:]}"

    def get_full_name(self) -> str:
        """Return the name, as Django's own pages ask for it."""
        return self.name

    @cached_property
    def roles(self) -> frozenset[str]:
        """The roles held; whoever belongs to a lab is a contributor."""
        return self._all_roles(self.grants.values_list("role", flat=True))

    def _all_roles(self, granted: Iterable[str]) -> frozenset[str]:
        return frozenset([*granted, *(["contributor"] if self.lab_ids else [])])

    def remember(self, *, roles: Iterable[str], lab_ids: Iterable[int]) -> None:
        """Take roles and labs as they were read together with this person."""
        self.__dict__["lab_ids"] = frozenset(lab_ids)
        self.__dict__["roles"] = self._all_roles(roles)

    @cached_property
    def lab_ids(self) -> frozenset[int]:
        """Primary keys of the labs this person belongs to."""
        return frozenset(self.memberships.values_list("lab_id", flat=True))


class Lab(Row):
    """A research group. Datasets belong to labs, not to people."""

    name = models.CharField(max_length=200, unique=True)
    institution = models.CharField(max_length=200, blank=True)
    members = models.ManyToManyField(User, through="Membership", related_name="labs")

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A person belongs to a lab."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    lab = models.ForeignKey(Lab, on_delete=models.CASCADE, related_name="memberships")
    is_head = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "lab"], name="member_once")]

    def __str__(self) -> str:
        return f"{self.user} in {self.lab}"


class Grant(models.Model):
    """A person holds a role on the whole site (rater, curator, maintainer)."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="grants")
    role = models.CharField(max_length=20, choices=vocabulary.roles)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "role"], name="role_once")]

    def __str__(self) -> str:
        return f"{self.user}: {self.role}"


class ApiToken(Row):
    """A key for programs: only its prefix and SHA-256 are kept, the secret is shown once."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=12, unique=True)
    digest = models.CharField(max_length=64)
    scopes = models.JSONField(default=list)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class Notice(Row):
    """What one person is told: a line of their inbox, from which mails are written."""

    class About(models.TextChoices):
        HAPPENED = "happened", "what happened to my data"
        WAITS = "waits", "what waits for me"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="notices")
    about = models.CharField(max_length=10, choices=About.choices, default=About.HAPPENED)
    title = models.CharField(max_length=200)
    text = models.TextField(blank=True)
    subject = models.CharField(max_length=60)
    subject_kind = models.CharField(max_length=60)
    # What it came of: the same is told to the same person once.
    key = models.CharField(max_length=120)
    read_at = models.DateTimeField(null=True)
    # Written before the mail leaves, so that none is sent twice.
    mailed_at = models.DateTimeField(null=True)

    class Meta(Row.Meta):
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="told_once")]
        indexes = [
            models.Index(fields=["user"], name="notice_unread", condition=models.Q(read_at=None)),
            models.Index(fields=["user", "id"], name="notice_of_user"),
            models.Index(
                fields=["user", "created_at"],
                name="notice_unmailed",
                condition=models.Q(mailed_at=None),
            ),
        ]
