"""Retraining: the policy, what it answered, snapshots and runs."""

from __future__ import annotations

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from amgs.api.authentication import Scoped
from amgs.api.details import DETAIL, detail
from amgs.api.keys import IDEMPOTENCY_KEY, asked_key, made
from amgs.api.models import ActionView
from amgs.api.paging import LIST, page
from amgs.api.problems import documented
from amgs.core import policy
from amgs.core.idempotency import once
from amgs.training import independence, queries, services
from amgs.training.models import Run as RunRow


class PolicyBody(serializers.Serializer):
    """What may be changed in the policy."""

    enabled = serializers.BooleanField(required=False)
    min_new_frames = serializers.IntegerField(required=False, min_value=1, max_value=2**31 - 1)
    recipe = serializers.CharField(required=False, max_length=40)
    profile = serializers.CharField(required=False, max_length=30)
    warm_start = serializers.BooleanField(required=False)
    schedule = serializers.CharField(required=False, allow_blank=True, max_length=100)
    new_lab_or_coat = serializers.BooleanField(required=False)


class PolicyView(serializers.Serializer):
    """The policy, and what may be chosen in it."""

    enabled = serializers.BooleanField()
    min_new_frames = serializers.IntegerField()
    recipe = serializers.CharField()
    profile = serializers.CharField()
    warm_start = serializers.BooleanField()
    schedule = serializers.CharField(allow_blank=True)
    scheduled_for = serializers.DateTimeField(allow_null=True)
    new_lab_or_coat = serializers.BooleanField()
    species = serializers.CharField()
    updated_at = serializers.DateTimeField()
    recipes = serializers.ListField(child=serializers.CharField())
    profiles = serializers.ListField(child=serializers.CharField())


class TriggerView(serializers.Serializer):
    """One answer of the policy: it fired or it did not, and why."""

    id = serializers.CharField()
    at = serializers.DateTimeField()
    fired = serializers.BooleanField()
    name = serializers.CharField()
    reason = serializers.CharField()
    facts = serializers.DictField()
    run = serializers.CharField(allow_null=True)


class TriggerPage(serializers.Serializer):
    """A page of answers of the policy."""

    results = TriggerView(many=True)
    next = serializers.CharField(allow_null=True)


class RunBody(serializers.Serializer):
    """A run as it is asked for."""

    recipe = serializers.CharField(max_length=40)
    profile = serializers.CharField(max_length=30)
    negative_control = serializers.BooleanField(required=False, default=False)
    warm_start = serializers.BooleanField(required=False, default=False)
    snapshot = serializers.CharField(required=False, default="")
    seed = serializers.IntegerField(required=False, default=0, min_value=0, max_value=2**31 - 1)
    why = serializers.CharField(required=False, default="", allow_blank=True, max_length=500)


class RunJob(serializers.Serializer):
    """How far a run is."""

    id = serializers.CharField()
    state = serializers.CharField()
    attempt = serializers.IntegerField()
    progress = serializers.FloatField()
    note = serializers.CharField()
    error = serializers.CharField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class RunSummary(serializers.Serializer):
    """A run as lists show it. It has no state but its job's."""

    id = serializers.CharField()
    created_at = serializers.DateTimeField()
    state = serializers.CharField()
    job = RunJob(allow_null=True)
    recipe = serializers.CharField()
    profile = serializers.CharField()
    seed = serializers.IntegerField()
    options = serializers.DictField()
    negative_control = serializers.BooleanField()
    why = serializers.CharField()
    by = serializers.CharField()
    snapshot = serializers.CharField(allow_null=True)
    benchmark = serializers.CharField(allow_null=True)
    benchmark_identifier = serializers.CharField(allow_null=True)
    superseded_by = serializers.CharField(allow_null=True)
    model = serializers.CharField(allow_null=True)
    model_identifier = serializers.CharField(allow_null=True)
    model_state = serializers.CharField(allow_null=True)


class PointView(serializers.Serializer):
    """One step of a run's curves."""

    step = serializers.IntegerField()
    metrics = serializers.DictField(child=serializers.FloatField())


class LineView(serializers.Serializer):
    """One line of what a run told."""

    at = serializers.DateTimeField()
    sentence = serializers.CharField()


class RunView(RunSummary):
    """A run with its curves, last lines and the thresholds it is judged by."""

    curves = PointView(many=True)
    tail = LineView(many=True)
    made = serializers.DictField()
    checkpoint = serializers.IntegerField(allow_null=True)
    thresholds = serializers.DictField()
    actions = ActionView(many=True)


class RunPage(serializers.Serializer):
    """A page of runs."""

    results = RunSummary(many=True)
    next = serializers.CharField(allow_null=True)


class BenchmarkView(serializers.Serializer):
    """A benchmark: the frames that challenger and champion are both measured on."""

    id = serializers.CharField()
    identifier = serializers.CharField()
    created_at = serializers.DateTimeField()
    species = serializers.CharField()
    number = serializers.IntegerField()
    digest = serializers.CharField()
    frames = serializers.IntegerField()
    animals = serializers.IntegerField()
    phantom = serializers.BooleanField()


class BenchmarkDetailView(BenchmarkView):
    """A benchmark with the snapshots that have it and the models measured on it."""

    snapshots = serializers.ListField(child=serializers.CharField())
    models = serializers.ListField(child=serializers.DictField())


class BenchmarkPage(serializers.Serializer):
    """A page of benchmarks."""

    results = BenchmarkView(many=True)
    next = serializers.CharField(allow_null=True)


class AsideBody(serializers.Serializer):
    """A lab that shall be independent, for ever."""

    lab = serializers.CharField(max_length=200)
    why = serializers.CharField(max_length=500)


class IndependenceView(serializers.Serializer):
    """Labs that only validate, a sentence per coat, and which labs could be set aside."""

    independent = serializers.ListField(child=serializers.DictField())
    sentences = serializers.ListField(child=serializers.CharField())
    labs = serializers.ListField(child=serializers.DictField())
    proposals = serializers.ListField(child=serializers.DictField())


class SnapshotView(serializers.Serializer):
    """A snapshot: what is in it and how it was split."""

    id = serializers.CharField()
    created_at = serializers.DateTimeField()
    digest = serializers.CharField()
    frames = serializers.IntegerField()
    animals = serializers.IntegerField()
    phantom = serializers.BooleanField()
    versions = serializers.ListField(child=serializers.CharField())
    counts = serializers.DictField(child=serializers.IntegerField())
    benchmark = BenchmarkView(allow_null=True)
    independent = serializers.DictField()
    header = serializers.DictField()


class SnapshotDetailView(SnapshotView):
    """A snapshot with the models that learned from it, and notes on data in it that left."""

    models = serializers.ListField(child=serializers.DictField())
    notes = serializers.ListField(child=serializers.DictField())


class SnapshotPage(serializers.Serializer):
    """A page of snapshots."""

    results = SnapshotView(many=True)
    next = serializers.CharField(allow_null=True)


class CancelBody(serializers.Serializer):
    """Why a run is stopped."""

    why = serializers.CharField(required=False, default="", allow_blank=True, max_length=500)


class TrainingView(APIView):
    """What curators and maintainers may see of training."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "maintain"

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        """Ask the policy once for all views of this file."""
        super().initial(request, *args, **kwargs)
        policy.require(request.user, "training.see_runs")


class Policy(TrainingView):
    """When the platform retrains by itself."""

    @extend_schema(parameters=DETAIL, responses={200: PolicyView, **documented(304, 400, 401, 403)})
    def get(self, request: Request) -> Response:
        """Return the policy."""
        return detail(request, queries.policy_json(services.get_policy()))

    @extend_schema(request=PolicyBody, responses={200: PolicyView, **documented(400, 401, 403)})
    def patch(self, request: Request) -> Response:
        """Change the policy; the change is kept in the log."""
        body = PolicyBody(data=request.data)
        body.is_valid(raise_exception=True)
        row = services.edit_policy(by=request.user, **body.validated_data)
        return Response(queries.policy_json(row))


class Triggers(TrainingView):
    """What the policy answered."""

    @extend_schema(
        operation_id="training_triggers_list",
        parameters=LIST,
        responses={200: TriggerPage, **documented(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """Return the answers, newest first."""
        return page(queries.triggers(), request, queries.trigger_json)


class Runs(TrainingView):
    """Training runs."""

    @extend_schema(
        operation_id="training_runs_list",
        parameters=LIST,
        responses={200: RunPage, **documented(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """Return the runs, newest first."""
        return page(queries.runs(), request, queries.run_json)

    @extend_schema(
        parameters=[IDEMPOTENCY_KEY],
        request=RunBody,
        responses={201: RunView, **documented(400, 401, 403, 404, 422)},
    )
    def post(self, request: Request) -> Response:
        """Start a run by hand; without a snapshot it freezes one first."""
        body = RunBody(data=request.data)
        body.is_valid(raise_exception=True)
        given = dict(body.validated_data)
        named, key = given.pop("snapshot"), asked_key(request)
        run, new = once(
            who=request.user.public_id,
            act="training run",
            key=key,
            body=given | {"snapshot": named},
            make=lambda: services.start_run(
                by=request.user, snapshot=queries.snapshot(named) if named else None, **given
            ),
            find=lambda public_id: RunRow.objects.filter(public_id=public_id).first(),
        )
        told = queries.run_detail(queries.run(run.public_id), request.user)
        return made(told, key=key, new=new)


class Run(TrainingView):
    """One training run."""

    @extend_schema(
        parameters=DETAIL, responses={200: RunView, **documented(304, 400, 401, 403, 404)}
    )
    def get(self, request: Request, public_id: str) -> Response:
        """Return the run with its curves."""
        return detail(request, queries.run_detail(queries.run(public_id), request.user))


class CancelRun(TrainingView):
    """Stop a run."""

    @extend_schema(request=CancelBody, responses={200: RunView, **documented(400, 401, 403, 404)})
    def post(self, request: Request, public_id: str) -> Response:
        """Stop a run that waits or trains."""
        body = CancelBody(data=request.data)
        body.is_valid(raise_exception=True)
        run = queries.run(public_id)
        services.cancel_run(by=request.user, run=run, why=body.validated_data["why"])
        return Response(queries.run_detail(queries.run(public_id), request.user))


class Snapshots(TrainingView):
    """Snapshots."""

    @extend_schema(
        operation_id="snapshots_list",
        parameters=LIST,
        responses={200: SnapshotPage, **documented(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """Return the snapshots, newest first."""
        return page(queries.snapshots(), request, queries.snapshot_json)


class Snapshot(TrainingView):
    """One snapshot."""

    @extend_schema(
        parameters=DETAIL,
        responses={200: SnapshotDetailView, **documented(304, 400, 401, 403, 404)},
    )
    def get(self, request: Request, public_id: str) -> Response:
        """Return the snapshot."""
        return detail(request, queries.snapshot_detail(queries.snapshot(public_id)))


class Benchmarks(TrainingView):
    """Benchmarks."""

    @extend_schema(
        operation_id="benchmarks_list",
        parameters=LIST,
        responses={200: BenchmarkPage, **documented(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """Return the benchmarks, newest first."""
        return page(queries.benchmarks(), request, queries.benchmark_json)


class Benchmark(TrainingView):
    """One benchmark."""

    @extend_schema(
        parameters=DETAIL,
        responses={200: BenchmarkDetailView, **documented(304, 400, 401, 403, 404)},
    )
    def get(self, request: Request, public_id: str) -> Response:
        """Return the benchmark with the models measured on it."""
        return detail(request, queries.benchmark_detail(queries.benchmark(public_id)))


class IndependentLabs(TrainingView):
    """Labs set aside: their animals validate finished models and nothing else."""

    @extend_schema(
        operation_id="independent_labs_list",
        parameters=DETAIL,
        responses={200: IndependenceView, **documented(304, 400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """Return which labs are independent, and which could be set aside."""
        return detail(request, independence.overview())

    @extend_schema(
        request=AsideBody,
        responses={201: IndependenceView, **documented(400, 401, 403, 404, 409)},
    )
    def post(self, request: Request) -> Response:
        """Set a lab aside, for ever; refused where it was learned from."""
        body = AsideBody(data=request.data)
        body.is_valid(raise_exception=True)
        services.set_lab_aside(by=request.user, **body.validated_data)
        return Response(independence.overview(), 201)


urlpatterns = [
    path("benchmarks", Benchmarks.as_view()),
    path("benchmarks/<str:public_id>", Benchmark.as_view()),
    path("training/independent-labs", IndependentLabs.as_view()),
    path("training/policy", Policy.as_view()),
    path("training/triggers", Triggers.as_view()),
    path("training/runs", Runs.as_view()),
    path("training/runs/<str:public_id>", Run.as_view()),
    path("training/runs/<str:public_id>/cancel", CancelRun.as_view()),
    path("snapshots", Snapshots.as_view()),
    path("snapshots/<str:public_id>", Snapshot.as_view()),
]
