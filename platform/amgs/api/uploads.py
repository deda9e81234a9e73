"""Send files in parts, straight to storage, and resume where the connection broke."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from amgs.accounts.models import ApiToken, Lab, User
from amgs.api.authentication import actor
from amgs.api.details import DETAIL, detail
from amgs.api.keys import IDEMPOTENCY_KEY, asked_key, made
from amgs.api.paging import LIST, page
from amgs.api.problems import documented
from amgs.core.errors import NotAllowed, NotFound, Refused
from amgs.core.idempotency import once
from amgs.files import queries, services
from amgs.files.models import Upload
from amgs.files.storage import get_storage

_FILTERS = [
    OpenApiParameter("unfinished", bool, description="only those that are not over"),
    OpenApiParameter("name", str, description="only files of this name"),
    OpenApiParameter("size", int, description="only files of so many bytes"),
    OpenApiParameter("purpose", str, description="only those for this purpose"),
    OpenApiParameter("target", str, description="only those for this version"),
]


class MaySend(BasePermission):
    """A token must be for contributing or for scoring; people without one may send to be scored."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if isinstance(request.auth, ApiToken) and not {"contribute", "score"} & set(
            request.auth.scopes
        ):
            raise NotAllowed(
                "This token may not send files: it lacks the scopes 'contribute' and 'score'. "
                "Make one that has them on your account page."
            )
        return True


class UploadBody(serializers.Serializer):
    """A file as it is announced. ``sha256`` is of the whole file, where it is known."""

    name = serializers.CharField(max_length=400)
    size = serializers.IntegerField(min_value=0)
    sha256 = serializers.CharField(required=False, allow_blank=True, default="")
    purpose = serializers.CharField(max_length=40)
    target = serializers.CharField(max_length=60, required=False, allow_blank=True, default="")
    lab = serializers.CharField(max_length=26, required=False, allow_blank=True, default="")


class UploadView(serializers.Serializer):
    """An upload as it is shown."""

    id = serializers.CharField()
    name = serializers.CharField()
    size = serializers.IntegerField()
    sha256 = serializers.CharField()
    purpose = serializers.CharField()
    target = serializers.CharField()
    lab = serializers.CharField(allow_null=True)
    part_size = serializers.IntegerField()
    part_count = serializers.IntegerField()
    state = serializers.ChoiceField(Upload.State.choices)
    refusal = serializers.CharField()
    held_bytes = serializers.IntegerField(allow_null=True)
    job = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class UploadsView(serializers.Serializer):
    """A page of uploads."""

    results = UploadView(many=True)
    next = serializers.CharField(allow_null=True)


class PartsBody(serializers.Serializer):
    """Numbers of parts, counted from 1."""

    parts = serializers.ListField(child=serializers.IntegerField(min_value=1), allow_empty=False)


class PartView(serializers.Serializer):
    """A part with its size in bytes."""

    part = serializers.IntegerField()
    size = serializers.IntegerField()


class PartsView(serializers.Serializer):
    """The parts that have arrived whole."""

    parts = PartView(many=True)


class AddressView(PartView):
    """Where a part is to be PUT."""

    url = serializers.URLField()


class AddressesView(serializers.Serializer):
    """Addresses that are good for some minutes.

    ``digest`` names the digest of a part that is compared on arrival where it is sent along:
    ``sha-256`` in the header ``Content-Digest: sha-256=:…:``, ``md5`` in ``Content-MD5: …``
    (both base64).
    """

    addresses = AddressView(many=True)
    digest = serializers.ChoiceField(["sha-256", "md5"])


class CompleteBody(serializers.Serializer):
    """SHA-256 (hex) of parts by number: with them, a changed part is found and named.

    ``sha256`` is of the whole, for who learned it while sending.
    """

    sha256 = serializers.RegexField("^[0-9a-fA-F]{64}$", required=False, default="")
    digests = serializers.DictField(child=serializers.RegexField("^[0-9a-fA-F]{64}$"), default=dict)


def upload_json(
    upload: Upload, job: str | None = None, *, held_bytes: int | None = None
) -> dict[str, Any]:
    """Return an upload as JSON; how much has arrived is said where it was asked for."""
    return {
        "id": upload.public_id,
        "name": upload.name,
        "size": upload.size,
        "sha256": upload.sha256,
        "purpose": upload.purpose,
        "target": upload.target,
        "lab": upload.lab.public_id if upload.lab else None,
        "part_size": upload.part_size,
        "part_count": upload.part_count,
        "state": upload.state,
        "refusal": upload.refusal,
        "held_bytes": held_bytes,
        "job": job,
        "created_at": upload.created_at,
        "finished_at": upload.finished_at,
    }


def _lab(request: Request, public_id: str) -> Lab | None:
    """Return the lab that is named, or the only one the sender belongs to."""
    if not isinstance(request.user, User):
        return None
    if public_id:
        lab = Lab.objects.filter(public_id=public_id).first()
        if lab is None:
            raise NotFound("There is no such lab.")
        return lab
    mine = list(request.user.labs.all()[:2])
    return mine[0] if len(mine) == 1 else None


class Uploads(APIView):
    """My unfinished and finished uploads; announce a file."""

    permission_classes = [AllowAny, MaySend]

    @extend_schema(
        operation_id="uploads_list",
        parameters=[*LIST, *_FILTERS],
        responses={200: UploadsView, **documented(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """Return the uploads of mine and of my labs, newest first.

        With ``unfinished`` each tells in ``held_bytes`` how much of it has arrived.
        """
        if not isinstance(request.user, User):
            raise NotAllowed("Please sign in to see your uploads.")
        rows = queries.visible_uploads(request.user)
        asked = request.query_params
        unfinished = asked.get("unfinished") == "true"
        if unfinished:
            rows = rows.filter(state__in=[Upload.State.OPEN, Upload.State.CHECKING])
        for name in ("name", "purpose", "target"):
            if name in asked:
                rows = rows.filter(**{name: asked[name]})
        if "size" in asked:
            if not asked["size"].isdecimal() or len(asked["size"]) > 18:
                raise Refused("'size' is a number of bytes.", field="size")
            rows = rows.filter(size=int(asked["size"]))

        def shown(upload: Upload) -> dict[str, Any]:
            return upload_json(
                upload, held_bytes=queries.held_bytes(upload) if unfinished else None
            )

        return page(rows, request, shown)

    @extend_schema(
        parameters=[IDEMPOTENCY_KEY],
        request=UploadBody,
        responses={201: UploadView, **documented(400, 401, 403, 404, 422, 429)},
    )
    def post(self, request: Request) -> Response:
        """Announce a file; the answer says in how many parts to send it."""
        body = UploadBody(data=request.data)
        body.is_valid(raise_exception=True)
        facts = dict(body.validated_data)
        lab = _lab(request, facts.pop("lab"))
        if services.is_open_to_all(facts["purpose"]):
            lab = None
        user = request.user if isinstance(request.user, User) else None
        key = asked_key(request)
        upload, new = once(
            who=user.public_id if user else "",
            act="upload",
            key=key,
            body=facts | {"lab": lab.public_id if lab else ""},
            make=lambda: services.open_upload(user=user, lab=lab, **facts),
            find=queries.usable_upload,
        )
        return made(upload_json(upload), key=key, new=new)


class OneUpload(APIView):
    """One upload."""

    permission_classes = [AllowAny, MaySend]

    @extend_schema(
        parameters=DETAIL, responses={200: UploadView, **documented(304, 400, 401, 403, 404)}
    )
    def get(self, request: Request, public_id: str) -> Response:
        """Return the upload."""
        upload = services.find_upload(public_id, by=actor(request))
        held = queries.held_bytes(upload)
        return detail(request, upload_json(upload, services.check_of(upload), held_bytes=held))

    @extend_schema(responses={204: None, **documented(400, 401, 403, 404)})
    def delete(self, request: Request, public_id: str) -> Response:
        """Give the upload up; what had arrived is removed."""
        upload = services.find_upload(public_id, by=actor(request))
        services.discard_upload(upload=upload, by=actor(request))
        return Response(status=204)


class Addresses(APIView):
    """Where to PUT parts."""

    permission_classes = [AllowAny, MaySend]

    @extend_schema(
        request=PartsBody, responses={200: AddressesView, **documented(400, 401, 403, 404)}
    )
    def post(self, request: Request, public_id: str) -> Response:
        """Return addresses for these parts, good for some minutes."""
        body = PartsBody(data=request.data)
        body.is_valid(raise_exception=True)
        upload = services.find_upload(public_id, by=actor(request))
        found = services.part_addresses(upload=upload, parts=body.validated_data["parts"])
        for address in found:
            address["url"] = request.build_absolute_uri(address["url"])
        return Response({"addresses": found, "digest": get_storage().part_digest})


class Parts(APIView):
    """Which parts have arrived."""

    permission_classes = [AllowAny, MaySend]

    @extend_schema(responses={200: PartsView, **documented(401, 403, 404)})
    def get(self, request: Request, public_id: str) -> Response:
        """Return the parts that have arrived whole; only the others must be sent."""
        upload = services.find_upload(public_id, by=actor(request))
        return Response({"parts": queries.held_parts(upload)})


class Complete(APIView):
    """All parts were sent."""

    permission_classes = [AllowAny, MaySend]

    @extend_schema(
        request=CompleteBody, responses={200: UploadView, **documented(400, 401, 403, 404, 409)}
    )
    def post(self, request: Request, public_id: str) -> Response:
        """Let a job check what came; ask again for the upload to see whether it is done."""
        body = CompleteBody(data=request.data or {})
        body.is_valid(raise_exception=True)
        digests = body.validated_data["digests"]
        if wrong := [part for part in digests if not part.isdecimal()]:
            raise serializers.ValidationError({"digests": f"'{wrong[0]}' is no number of a part."})
        who = actor(request)
        upload = services.find_upload(public_id, by=who)
        job = services.complete_upload(
            upload=upload,
            by=who,
            sha256=body.validated_data["sha256"],
            digests={int(part): text for part, text in digests.items()},
        )
        return Response(upload_json(upload, job.public_id))


urlpatterns = [
    path("uploads", Uploads.as_view()),
    path("uploads/<str:public_id>", OneUpload.as_view()),
    path("uploads/<str:public_id>/addresses", Addresses.as_view()),
    path("uploads/<str:public_id>/parts", Parts.as_view()),
    path("uploads/<str:public_id>/complete", Complete.as_view()),
]
