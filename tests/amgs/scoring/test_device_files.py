"""The files of a model for the browser: there, of another version, or not there any more."""

from __future__ import annotations


def test_files_of_the_serving_model_are_given_and_no_others(serve_bundle, client):
    version = serve_bundle()
    base = f"/score/on-device/{version.digest}"
    told = client.get(f"{base}/device.json").json()
    assert told["model"]["identifier"] == version.identifier
    assert client.get(f"{base}/weights.onnx").status_code == 404
    assert client.get(f"/score/on-device/{'e' * 64}/device.json").status_code == 404


def test_a_bundle_that_is_not_there_is_told_and_breaks_nothing(serve, client):
    version = serve()
    base = f"/score/on-device/{version.digest}"
    for name in ("device.json", "frame.onnx"):
        answer = client.get(f"{base}/{name}")
        assert answer.status_code == 404
        assert f"The files of {version.identifier} are not there" in answer.content.decode()
